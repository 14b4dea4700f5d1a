import { Code, ConnectError } from "@connectrpc/connect";
import { type RedriveTasksRequest, type TaskFilter, TaskQueueKind, TaskState } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

/** What the server answers, chunk by chunk: examined, changed, skipped. */
function chunks(...counts: readonly (readonly [number, number, number])[]): World & { asked: RedriveTasksRequest[] } {
  const asked: RedriveTasksRequest[] = [];
  return {
    asked,
    operator: {
      async *redriveTasks(request) {
        asked.push(request);
        for (const [index, [examined, changed, skipped]] of counts.entries()) {
          const progress = { examined: BigInt(examined), changed: BigInt(changed), skipped: BigInt(skipped) };
          yield await Promise.resolve({ progress: { ...progress, done: index === counts.length - 1 } });
        }
      },
    },
  };
}

test("parses ids, the filters of `task ls`, and how far to go", async () => {
  expect((await parsed(["task", "redrive", "a", "b", "a"])).options).toMatchObject({
    filter: { ids: ["a", "b"], everything: false },
    dryRun: false,
    limit: 0,
  });
  const argv = ["--queue", "demo", "--kind", "workflow", "--state", "dead", "--type", "a", "--failure-text", "boom"];
  argv.push("--closed-after", "1h", "--dry-run", "--limit", "7", "--reason", "fixed", "--actor", "bot");
  expect((await parsed(["task", "redrive", ...argv])).options).toMatchObject({
    filter: {
      taskQueue: { name: "demo", kind: TaskQueueKind.WORKFLOW },
      states: [TaskState.FAILED, TaskState.TIMED_OUT],
      types: ["a"],
      failureText: "boom",
      closedAfter: { seconds: BigInt(nowMs / 1_000 - 3_600) },
      everything: false,
    },
    dryRun: true,
    limit: 7,
    reason: "fixed",
    actor: "bot",
  });
  const { filter } = (await parsed(["task", "redrive", "--everything"])).options as { filter: TaskFilter };
  expect(filter.everything).toBe(true);
});

test.each([
  [[], "which tasks? Give ids or filters, or --everything"],
  [["--dry-run"], "which tasks?"],
  [["a", "--everything"], "'--everything' goes without ids and filters"],
  [[""], "an id is empty"],
  [["--id-prefix", ""], "'--id-prefix <text>' argument '' is invalid. It must not be empty."],
  [["--queue", "", "--kind", "activity"], "'--queue <name>' argument '' is invalid. It must not be empty."],
  [["--kind", "activity", "--state", "dead"], "needs --queue"],
  [["--queue", "demo", "--limit", "0"], "Give a whole number, 1 or more."],
  [["--queue", "demo", "--state", "gone"], "There are scheduled, ready, started"],
  [["--queue", "demo", "--actor", ""], "'--actor <name>' argument '' is invalid."],
])("refuses %j, and asks the server nothing", async (argv, message) => {
  const world = chunks([0, 0, 0]);
  const { code, stdout, stderr } = await tq(["task", "redrive", ...argv], world);
  expect(stderr).toContain(message);
  expect([code, stdout, world.asked]).toEqual([2, "", []]);
});

test("says who asks and why, and prints the counts at the end", async () => {
  const world = chunks([1_000, 2, 0], [1_500, 3, 1]);
  const ran = await tq(["task", "redrive", "--queue", "demo", "--reason", "fixed", "--limit", "9"], world);
  expect(ran).toEqual({
    code: 0,
    stdout: "redriven   3\nskipped    1 that is not dead\nlooked at  1500\n",
    stderr: "",
  });
  expect(world.asked).toMatchObject([
    {
      namespace: "default",
      action: { actor: "alice@laptop", reason: "fixed" },
      bulk: { filter: { taskQueue: { name: "demo", kind: TaskQueueKind.UNSPECIFIED } }, dryRun: false, limit: 9n },
    },
  ]);
  expect(world.asked[0]!.action!.requestId).not.toBe("");
});

test("prints the counts as JSON", async () => {
  const { stdout } = await tq(["task", "redrive", "a", "-o", "json"], chunks([1, 1, 0]));
  expect(JSON.parse(stdout)).toEqual({ dryRun: false, examined: 1, changed: 1, skipped: 0 });
});

test("a dry run says what would be done", async () => {
  const world = chunks([5, 3, 2]);
  const { stdout } = await tq(["task", "redrive", "--queue", "demo", "--dry-run"], world);
  expect(stdout).toBe("would be redriven  3\nskipped            2 that are not dead\nlooked at          5\n");
  expect(world.asked[0]!.bulk!.dryRun).toBe(true);
});

test.each([
  [["--queue", "demo"], [9, 0, 0], "No task matches: nothing was redriven.\n"],
  [["--queue", "demo", "--dry-run"], [9, 0, 0], "No task matches: nothing would be redriven.\n"],
  [["--queue", "demo"], [9, 0, 4], "What matches is not dead: nothing was redriven.\n"],
  [["a", "b", "c"], [1, 1, 0], "2 of the 3 ids do not match.\n"],
  [["a", "b"], [1, 0, 1], "1 of the 2 ids does not match.\n"],
  [["--queue", "demo", "--limit", "2"], [9, 2, 0], "Stopped at the limit of 2: there may be more."],
] as const)("%j with counts %j is done, and says: %s", async (argv, counts, message) => {
  const { code, stderr } = await tq(["task", "redrive", ...argv], chunks(counts));
  expect(stderr).toContain(message);
  expect(code).toBe(0);
});

test("tells once a second how far it is", async () => {
  let clockMs = nowMs;
  const world = chunks([1_000, 10, 0], [2_000, 20, 0], [3_000, 30, 0], [4_000, 40, 0]);
  const { stderr } = await tq(["task", "redrive", "--queue", "demo"], { ...world, now: () => (clockMs += 400) });
  expect(stderr).toBe("3000 tasks looked at, 30 redriven so far.\n");
});

test("a call that breaks tells how far it came, and exits 1", async () => {
  const operator: World["operator"] = {
    async *redriveTasks() {
      yield await Promise.resolve({ progress: { examined: 1_000n, changed: 12n } });
      throw new ConnectError("the store refuses writes", Code.Unavailable);
    },
  };
  expect(await tq(["task", "redrive", "--queue", "demo"], { operator })).toEqual({
    code: 1,
    stdout: "",
    stderr: "12 tasks redriven before it ended.\ntq: the store refuses writes\n",
  });
});

test("a call that ends before it is done is no success", async () => {
  const operator: World["operator"] = {
    async *redriveTasks() {
      yield await Promise.resolve({ progress: { examined: 1n } });
    },
  };
  const { code, stderr } = await tq(["task", "redrive", "--queue", "demo"], { operator });
  expect(stderr).toContain("tq: the server ended the call before it was done\n");
  expect(code).toBe(1);
});

test("a server that has gone silent is noticed", async () => {
  const operator: World["operator"] = {
    redriveTasks: (_request, { signal }) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended")))),
      }),
    }),
  };
  const { code, stderr } = await tq(["task", "redrive", "--queue", "demo", "--timeout", "1ms"], { operator });
  expect(stderr).toMatch(/^tq: The server at 127.0.0.1:7333 has not said for 0.001 s how far it is\./);
  expect(code).toBe(1);
});

test("what the server refuses names the field, and exits 2", async () => {
  const operator: World["operator"] = {
    redriveTasks: () => {
      throw new ConnectError("bulk.filter.task_queue.name: must not begin with tq.", Code.InvalidArgument);
    },
  };
  expect(await tq(["task", "redrive", "--queue", "tq.x"], { operator })).toEqual({
    code: 2,
    stdout: "",
    stderr: "tq: bulk.filter.task_queue.name: must not begin with tq.\n",
  });
});
