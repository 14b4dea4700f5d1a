import { Code, ConnectError } from "@connectrpc/connect";
import { type DeleteTaskQueueRequest, TaskQueueKind } from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

function removing(changed: bigint, asked: DeleteTaskQueueRequest[] = []): World {
  return {
    operator: {
      async *deleteTaskQueue(request) {
        asked.push(request);
        yield await Promise.resolve({ progress: { examined: changed, changed, done: true } });
      },
    },
  };
}

test("parses the queue and what goes with it", async () => {
  expect((await parsed(["queue", "rm", "demo"])).options).toEqual({ queue: "demo" });
  const argv = ["queue", "rm", "demo", "--kind", "activity", "--purge", "--silent", "--yes", "--reason", "gone"];
  expect((await parsed(argv)).options).toEqual({
    queue: "demo",
    kind: "activity",
    purge: true,
    silent: true,
    yes: true,
    reason: "gone",
  });
});

test.each([
  [[], "missing required argument 'QUEUE'"],
  [["demo", "--purge"], "'--purge' destroys the queue's tasks: give --yes if that is meant"],
  [["demo", "--silent"], "'--silent' needs --purge"],
])("refuses %j, and asks the server nothing", async (argv, message) => {
  const asked: DeleteTaskQueueRequest[] = [];
  const { code, stderr } = await tq(["queue", "rm", ...argv], removing(0n, asked));
  expect(stderr).toContain(message);
  expect([code, asked]).toEqual([2, []]);
});

test("removes both kinds of the name, and tells how many tasks went with each", async () => {
  const asked: DeleteTaskQueueRequest[] = [];
  expect(await tq(["queue", "rm", "demo"], removing(0n, asked))).toEqual({
    code: 0,
    stdout: "demo (activity) is removed\ndemo (workflow) is removed\n",
    stderr: "",
  });
  const argv = ["queue", "rm", "demo", "--kind", "workflow", "--purge", "--silent", "--yes"];
  expect((await tq(argv, removing(3n, asked))).stdout).toBe("demo (workflow) is removed, and 3 tasks with it\n");
  expect(JSON.parse((await tq([...argv, "-o", "json"], removing(3n))).stdout)).toEqual({
    taskQueues: [{ taskQueue: { name: "demo", kind: "WORKFLOW" }, examined: 3, changed: 3, skipped: 0 }],
  });
  expect(asked).toMatchObject([
    { taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY }, purge: false, silent: false },
    { taskQueue: { name: "demo", kind: TaskQueueKind.WORKFLOW }, purge: false, silent: false },
    { taskQueue: { name: "demo", kind: TaskQueueKind.WORKFLOW }, purge: true, silent: true },
  ]);
});

test("says how to remove one that has tasks", async () => {
  const operator: World["operator"] = {
    async *deleteTaskQueue({ taskQueue }) {
      if (taskQueue!.kind === TaskQueueKind.ACTIVITY) {
        yield await Promise.resolve({ progress: { done: true } });
        return;
      }
      const info = { desc: ErrorInfoSchema, value: { domain: "tq", reason: "TASK_QUEUE_NOT_EMPTY" } };
      throw new ConnectError("the task queue demo still has tasks", Code.FailedPrecondition, undefined, [info]);
    },
  };
  expect(await tq(["queue", "rm", "demo"], { operator })).toEqual({
    code: 1,
    stdout: "demo (activity) is removed\n",
    stderr:
      "tq: the task queue demo still has tasks\n`tq queue rm NAME --purge --yes` closes and removes its tasks, too.\n",
  });
});
