import type { DrainWorkerRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

test("parses the id and why, and wants the id", async () => {
  const { options } = await parsed(["worker", "drain", "w1", "--reason", "old", "--actor", "bot"]);
  expect(options).toEqual({ id: "w1", reason: "old", actor: "bot" });
  expect(await tq(["worker", "drain"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'ID'") as string,
  });
});

test("drains it", async () => {
  const asked: DrainWorkerRequest[] = [];
  const operator: World["operator"] = { drainWorker: (request) => (asked.push(request), {}) };
  expect(await tq(["worker", "drain", "w1", "--reason", "old", "--actor", "bot"], { operator })).toEqual({
    code: 0,
    stdout: "w1 is being told, and gets nothing new\n",
    stderr: "",
  });
  expect(asked).toMatchObject([{ namespace: "default", workerId: "w1", action: { actor: "bot", reason: "old" } }]);
  expect(asked[0]!.action!.requestId).not.toBe("");
  expect(JSON.parse((await tq(["worker", "drain", "w1", "-o", "json"], { operator })).stdout)).toEqual({
    workerId: "w1",
  });
});
