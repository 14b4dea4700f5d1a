import type { ReleaseTasksRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

test("parses whose tasks are released, and wants to know", async () => {
  const { options } = await parsed(["task", "release", "--worker", "w1", "--reason", "stuck"]);
  expect(options).toMatchObject({ filter: { workerId: "w1", everything: false }, reason: "stuck" });
  expect(await tq(["task", "release"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("which tasks?") as string,
  });
});

test("releases them", async () => {
  const asked: ReleaseTasksRequest[] = [];
  const operator: World["operator"] = {
    async *releaseTasks(request) {
      asked.push(request);
      yield await Promise.resolve({ progress: { examined: 9n, changed: 2n, skipped: 3n, done: true } });
    },
  };
  const { code, stdout } = await tq(["task", "release", "--worker", "w1"], { operator });
  expect(stdout).toBe("released   2\nskipped    3 that are not started\nlooked at  9\n");
  expect(code).toBe(0);
  expect(asked).toMatchObject([{ bulk: { filter: { workerId: "w1" } }, action: { actor: "alice@laptop" } }]);
});
