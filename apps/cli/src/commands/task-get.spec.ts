import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type GetTasksRequest, TaskQueueKind, TaskState, WaitFor, WaitReason } from "@tq/proto";
import { expect, test } from "vitest";
import { completedTask, failedTask, json, readyTask } from "../../test/messages.ts";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

test("parses ids and --wait", async () => {
  expect((await parsed(["task", "get", "a", "b"])).options).toEqual({ ids: ["a", "b"] });
  expect((await parsed(["task", "get", "--wait", "a"])).options).toEqual({
    ids: ["a"],
    wait: Number.POSITIVE_INFINITY,
  });
  expect((await parsed(["task", "get", "--wait", "10s", "a"])).options).toEqual({ ids: ["a"], wait: 10_000 });
  expect((await tq(["task", "get"])).code).toBe(2);
});

test("shows a waiting task, and why it waits", async () => {
  const reasons = [{ reason: WaitReason.NO_WORKERS, hint: "No live worker polls it; start one." }];
  const { code, stdout } = await tq(["task", "get", "t1"], {
    tasks: { getTasks: () => ({ tasks: [readyTask({ reasons })] }) },
  });
  expect(code).toBe(0);
  expect(stdout).toBe(`id             t1
state          READY
waits because  NO_WORKERS: No live worker polls it; start one.
queue          demo (activity)
type           greet
attempt        0
input          "world"
               {"loud":true}
added          2026-01-31T11:55:00.000Z (5m ago)
priority       3
`);
});

test("shows how a task failed, and lets nothing of it move the cursor", async () => {
  const failedAttempts = [
    {
      attempt: 1,
      workerId: "w1",
      startedAt: timestampFromMs(nowMs - 120_000),
      failedAt: timestampFromMs(nowMs - 118_500),
      failure: { type: "Error", message: "no\u001b[2J\nway" },
    },
  ];
  const tasks: World["tasks"] = { getTasks: () => ({ tasks: [failedTask({ failedAttempts })] }) };
  const { code, stdout } = await tq(["task", "get", "t1"], { tasks });
  expect(stdout).toContain("failure          TypeError: x is not a function\n                     at f (a.js:1)\n");
  expect(stdout).toContain("failed attempts  #1 after 1.5s on w1: Error: no\\u001b[2J\\nway\n");
  expect(code).toBe(0);
});

test("shows where its outcome goes, and where that goes if nobody takes it there", async () => {
  const own = { name: "own-1", kind: TaskQueueKind.WORKFLOW };
  const engine = { ...own, name: "engine" };
  const shown = async (onClose: NonNullable<Parameters<typeof readyTask>[0]>["onClose"]) => {
    const tasks: World["tasks"] = { getTasks: () => ({ tasks: [readyTask({ onClose })] }) };
    return (await tq(["task", "get", "t1"], { tasks })).stdout;
  };
  expect(await shown({ taskQueue: own, type: "done", fallbackTaskQueue: engine })).toContain(
    "on close  done to own-1 (workflow), or to engine (workflow) if nobody serves it\n",
  );
  expect(await shown({ taskQueue: own, type: "done" })).toContain("on close  done to own-1 (workflow)\n");
});

test("tells the failed attempts of each run apart", async () => {
  const failedAttempts = [
    { run: 1, attempt: 25, failure: { type: "WorkerLost" } },
    { run: 2, attempt: 1, workerId: "w1", failure: { type: "Error", message: "no" } },
  ];
  const tasks: World["tasks"] = { getTasks: () => ({ tasks: [readyTask({ run: 2, failedAttempts })] }) };
  const { stdout } = await tq(["task", "get", "t1"], { tasks });
  expect(stdout).toContain("failed attempts  run 1 #25: WorkerLost\n                 run 2 #1 on w1: Error: no\n");
});

test("tells every reason why it waits, and since when", async () => {
  const reasons = [
    { reason: WaitReason.PAUSED, since: timestampFromMs(nowMs - 60_000), hint: "An operator paused it." },
    { reason: WaitReason.NO_WORKERS, hint: "Start one." },
  ];
  const tasks: World["tasks"] = { getTasks: () => ({ tasks: [readyTask({ reasons })] }) };
  const { stdout } = await tq(["task", "get", "t1"], { tasks });
  expect(stdout).toContain(
    "waits because  PAUSED for 1m: An operator paused it.\n               NO_WORKERS: Start one.\n",
  );
});

test("prints the task itself as JSON, with what its payloads carry", async () => {
  const bytes = { body: { case: "bytes" as const, value: new Uint8Array([1, 2]) } };
  const closedTask = { id: "t0", outcome: { state: TaskState.COMPLETED, result: json("[1]") }, context: json('"ctx"') };
  const task = completedTask("null", { input: [json("1"), bytes, {}, json("{")], closedTask });
  const { code, stdout } = await tq(["task", "get", "t1", "-o", "json"], {
    tasks: { getTasks: () => ({ tasks: [task] }) },
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    id: "t1",
    run: 1,
    taskQueue: { name: "demo", kind: "ACTIVITY" },
    type: "greet",
    state: "COMPLETED",
    attempt: 1,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 0,
    serialKey: "",
    addedAt: "2026-01-31T11:55:00Z",
    workerId: "",
    cancelRequested: false,
    outcome: { state: "COMPLETED", result: null, closedAt: "2026-01-31T11:59:00Z" },
    input: [1, { contentType: "", bytes: "AQI=" }, null, { contentType: "", text: "{" }],
    headers: {},
    failedAttempts: [],
    reasons: [],
    closedTask: {
      id: "t0",
      run: 0,
      type: "",
      outcome: { state: "COMPLETED", result: [1] },
      context: "ctx",
      attempts: 0,
    },
  });
});

test("prints several as a list, names those that are missing, and exits 1 for them", async () => {
  const tasks: World["tasks"] = {
    getTasks: ({ ids }) =>
      ids.length > 1
        ? { tasks: [readyTask({ id: "b" })], omittedIds: ["a"], missingIds: ["c"] }
        : { tasks: [readyTask({ id: "a" })] },
  };
  const { code, stdout, stderr } = await tq(["task", "get", "a", "b", "c", "-o", "json"], { tasks });
  expect(JSON.parse(stdout)).toMatchObject({ tasks: [{ id: "a" }, { id: "b" }], missingIds: ["c"] });
  expect(stderr).toMatch(/^No task c in namespace default: it was never added/);
  expect(code).toBe(1);
});

test("--wait asks again until all have closed, and exits 1 unless all completed", async () => {
  const asked: GetTasksRequest[] = [];
  const answers = [[readyTask({ id: "a" }), completedTask("1", { id: "b" })], [failedTask({ id: "a" })]];
  const tasks: World["tasks"] = { getTasks: (request) => (asked.push(request), { tasks: answers.shift()! }) };
  let clockMs = 0;
  const { code, stderr } = await tq(["task", "get", "--wait", "a", "b"], { tasks, now: () => (clockMs += 1_000) });
  expect(asked).toMatchObject([
    { ids: ["a", "b"], wait: { seconds: 2n }, waitFor: WaitFor.ALL_CLOSED },
    { ids: ["a"], wait: { seconds: 60n } },
  ]);
  expect(stderr).toBe("Task a (greet) failed after 3 attempts: TypeError: x is not a function\n");
  expect(code).toBe(1);
});
