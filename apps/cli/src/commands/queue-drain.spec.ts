import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { DrainTaskQueueRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

test("parses the queue and why, and wants the queue", async () => {
  const { options } = await parsed(["queue", "drain", "demo", "--kind", "activity", "--reason", "going"]);
  expect(options).toEqual({ queue: "demo", kind: "activity", reason: "going" });
  expect((await tq(["queue", "drain"])).code).toBe(2);
});

test("drains it", async () => {
  const asked: DrainTaskQueueRequest[] = [];
  const operator: World["operator"] = {
    drainTaskQueue: (request) => {
      asked.push(request);
      return { drain: { actor: "alice@laptop", reason: "going", since: timestampFromMs(nowMs - 60_000) } };
    },
  };
  const argv = ["queue", "drain", "demo", "--reason", "going"];
  expect(await tq(argv, { operator })).toEqual({
    code: 0,
    stdout: "demo refuses adds since 2026-01-31T11:59:00.000Z (1m ago) by alice@laptop: going\n",
    stderr: "",
  });
  expect(asked).toMatchObject([{ taskQueue: { name: "demo" }, action: { actor: "alice@laptop", reason: "going" } }]);
  expect(JSON.parse((await tq([...argv, "-o", "json"], { operator })).stdout)).toMatchObject({
    drain: { reason: "going", since: "2026-01-31T11:59:00Z" },
  });
});
