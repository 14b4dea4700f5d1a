import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

const operator: World["operator"] = {
  describeNamespace: ({ name }) => ({
    namespace: { name, description: "the shop", createdAt: timestampFromMs(nowMs - 86_400_000) },
    taskQueues: 3n,
    counts: { ready: 5n, started: 2n, dead: 1n },
  }),
};

test("parses the name, and wants it", async () => {
  expect((await parsed(["namespace", "describe", "shop"])).options).toEqual({ name: "shop" });
  expect(await tq(["namespace", "describe"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'NAME'") as string,
  });
});

test("tells what it has in it", async () => {
  expect(await tq(["namespace", "describe", "shop"], { operator })).toEqual({
    code: 0,
    stdout: `namespace    shop
description  the shop
created      2026-01-30T12:00:00.000Z (1d ago)
queues       3
tasks        5 ready, 0 scheduled, 2 started, 1 dead
`,
    stderr: "",
  });
  const { stdout } = await tq(["namespace", "describe", "shop", "-o", "json"], { operator });
  expect(JSON.parse(stdout)).toMatchObject({ namespace: { name: "shop" }, taskQueues: 3, counts: { ready: 5 } });
});

test("exits 1 if there is none", async () => {
  const describeNamespace = () => {
    throw new ConnectError("no namespace shop", Code.NotFound);
  };
  const { code, stderr } = await tq(["namespace", "describe", "shop"], { operator: { describeNamespace } });
  expect([code, stderr]).toEqual([1, "tq: no namespace shop\n"]);
});
