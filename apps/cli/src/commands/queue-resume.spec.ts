import { type ResumeTaskQueueRequest, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

test("parses the queue and why, and wants the queue", async () => {
  const { options } = await parsed(["queue", "resume", "demo", "--kind", "workflow", "--reason", "done"]);
  expect(options).toEqual({ queue: "demo", kind: "workflow", reason: "done" });
  expect((await tq(["queue", "resume"])).code).toBe(2);
});

test("says what it was", async () => {
  const asked: ResumeTaskQueueRequest[] = [];
  const operator: World["operator"] = {
    resumeTaskQueue: (request) => (asked.push(request), { wasPaused: true, wasDraining: true }),
  };
  expect(await tq(["queue", "resume", "demo"], { operator })).toEqual({
    code: 0,
    stdout: "demo was paused and draining, and goes on\n",
    stderr: "",
  });
  expect(asked).toMatchObject([
    { taskQueue: { name: "demo", kind: TaskQueueKind.UNSPECIFIED }, action: { actor: "alice@laptop" } },
  ]);
});

test("says that there was nothing to resume, and exits 0", async () => {
  const operator: World["operator"] = { resumeTaskQueue: () => ({}) };
  expect(await tq(["queue", "resume", "demo", "--kind", "activity"], { operator })).toEqual({
    code: 0,
    stdout: "",
    stderr: "demo (activity) was neither paused nor draining.\n",
  });
  const { stdout } = await tq(["queue", "resume", "demo", "-o", "json"], { operator });
  expect(JSON.parse(stdout)).toEqual({ wasPaused: false, wasDraining: false });
});
