import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

const operator: World["operator"] = {
  listNamespaces: () => ({
    namespaces: [
      { name: "default" },
      { name: "shop", description: "the shop", createdAt: timestampFromMs(nowMs - 1_000) },
    ],
  }),
};

test("takes nothing", async () => {
  expect((await parsed(["namespace", "ls"])).options).toEqual({});
  expect((await tq(["namespace", "ls", "x"])).code).toBe(2);
});

test("lists them", async () => {
  const { code, stdout } = await tq(["namespace", "ls"], { operator });
  expect([code, stdout]).toEqual([
    0,
    "NAMESPACE  CREATED  DESCRIPTION\ndefault    -        -\nshop       1s ago   the shop\n",
  ]);
  const listed = JSON.parse((await tq(["namespace", "ls", "-o", "json"], { operator })).stdout) as unknown;
  expect(listed).toMatchObject({
    namespaces: [{ name: "default" }, { name: "shop", createdAt: "2026-01-31T11:59:59Z" }],
  });
});
