import { type MoveTasksRequest, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

/** Of each kind there are five waiting tasks and one that is started, of which no chunk has more than three. */
function moving(asked: MoveTasksRequest[]): World {
  return {
    operator: {
      async *moveTasks(request) {
        asked.push(request);
        const limit = request.bulk!.limit;
        if (limit === 0n || limit > 3n) {
          yield await Promise.resolve({ progress: { examined: 4n, changed: 3n, skipped: 1n } });
        }
        const changed = limit === 0n || limit > 5n ? 5n : limit;
        yield await Promise.resolve({ progress: { examined: 9n, changed, skipped: 1n, done: true } });
      },
    },
  };
}

test("parses what moves, and where to", async () => {
  expect((await parsed(["task", "move", "--queue", "a", "--to", "b"])).options).toMatchObject({
    filter: { taskQueue: { name: "a" } },
    to: "b",
  });
});

test.each([
  [["a"], "required option '--to <queue>' not specified"],
  [["a", "--to", ""], "option '--to <queue>' argument '' is invalid."],
  [["--to", "b"], "which tasks?"],
])("refuses %j", async (argv, message) => {
  const { code, stderr } = await tq(["task", "move", ...argv]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("moves tasks of the kind that was named", async () => {
  const asked: MoveTasksRequest[] = [];
  expect(await tq(["task", "move", "--queue", "a", "--kind", "workflow", "--to", "b"], moving(asked))).toEqual({
    code: 0,
    stdout: "moved      5\nskipped    1 that is not waiting\nlooked at  9\n",
    stderr: "",
  });
  expect(asked).toMatchObject([
    {
      bulk: { filter: { taskQueue: { name: "a", kind: TaskQueueKind.WORKFLOW } }, limit: 0n },
      to: { name: "b", kind: TaskQueueKind.WORKFLOW },
    },
  ]);
});

test("without a kind, moves each task to the queue of its own, as if in one call", async () => {
  const asked: MoveTasksRequest[] = [];
  const { stdout } = await tq(["task", "move", "--queue", "a", "--to", "b"], moving(asked));
  expect(stdout).toBe("moved      10\nskipped    2 that are not waiting\nlooked at  18\n");
  expect(asked).toMatchObject([
    { bulk: { filter: { taskQueue: { kind: TaskQueueKind.ACTIVITY } } }, to: { kind: TaskQueueKind.ACTIVITY } },
    { bulk: { filter: { taskQueue: { kind: TaskQueueKind.WORKFLOW } } }, to: { kind: TaskQueueKind.WORKFLOW } },
  ]);
  expect(new Set(asked.map(({ action }) => action!.requestId)).size).toBe(2);
});

test("a limit is of both kinds together", async () => {
  const asked: MoveTasksRequest[] = [];
  expect((await tq(["task", "move", "t1", "--to", "b", "--limit", "7"], moving(asked))).stdout).toMatch(/^moved +7\n/);
  expect((await tq(["task", "move", "t1", "--to", "b", "--limit", "5"], moving(asked))).stdout).toMatch(/^moved +5\n/);
  expect(asked.map(({ bulk, to }) => [bulk!.limit, to!.kind])).toEqual([
    [7n, TaskQueueKind.ACTIVITY],
    [2n, TaskQueueKind.WORKFLOW],
    [5n, TaskQueueKind.ACTIVITY],
  ]);
});
