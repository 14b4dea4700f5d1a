import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ListTasksRequest, type TaskFilter, TaskQueueKind, TaskState } from "@tq/proto";
import { expect, test } from "vitest";
import { completedTask, failedTask, readyTask } from "../../test/messages.ts";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

test("parses every field of a filter", async () => {
  const argv = ["--queue", "demo", "--kind", "workflow", "--state", "dead", "--state", "Timed-Out", "--state", "ready"];
  argv.push("--type", "a", "--type", "b", "--id-prefix", "t", "--worker", "w1", "--build-id", "v2", "--priority", "1");
  argv.push("--priority", "5", "--fairness-key", "f", "--serial-key", "s", "--added-after", "2026-01-01T00:00:00Z");
  argv.push("--added-before", "10m", "--closed-after", "2026-01-02", "--closed-before", "1h", "--failure-type", "E");
  argv.push("--failure-text", "boom", "--limit", "7");
  const { options } = await parsed(["task", "ls", ...argv]);
  expect(options).toMatchObject({
    limit: 7,
    filter: {
      taskQueue: { name: "demo", kind: TaskQueueKind.WORKFLOW },
      states: [TaskState.FAILED, TaskState.TIMED_OUT, TaskState.READY],
      types: ["a", "b"],
      idPrefix: "t",
      workerId: "w1",
      buildId: "v2",
      priorities: [1, 5],
      fairnessKeys: ["f"],
      serialKeys: ["s"],
      addedAfter: timestampFromMs(Date.UTC(2026, 0, 1)),
      addedBefore: timestampFromMs(nowMs - 600_000),
      closedAfter: timestampFromMs(Date.UTC(2026, 0, 2)),
      closedBefore: timestampFromMs(nowMs - 3_600_000),
      failureType: "E",
      failureText: "boom",
      everything: false,
    },
  });
});

test("says that everything is meant if there is no filter; a limit is none", async () => {
  const all = (await parsed(["task", "ls", "--limit", "0"])).options as { filter: TaskFilter; limit: number };
  expect([all.filter.everything, all.limit]).toEqual([true, Number.POSITIVE_INFINITY]);
});

test.each([
  [["--state", "gone"], "There are scheduled, ready, started"],
  [["--added-after", "yesterday"], "Write it like 2026-01-31T12:00:00Z, or 10m for ten minutes ago."],
  [["--kind", "activity"], "needs --queue"],
  [["--limit", "-1"], "Give a whole number, 0 or more."],
  [["--id-prefix", ""], "'--id-prefix <text>' argument '' is invalid. It must not be empty."],
  [["demo"], "too many arguments"],
])("refuses %j", async (argv, message) => {
  const { code, stderr } = await tq(["task", "ls", ...argv]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("lists what is too large for an answer without its payloads, and says so", async () => {
  const tasks = (request: ListTasksRequest) =>
    request.includePayloads
      ? { tasks: [readyTask({ id: "a" })], omittedIds: ["large", "huge"] }
      : { tasks: [readyTask({ id: "large" })], omittedIds: ["huge"] };
  const { stdout, stderr, code } = await tq(["task", "ls", "-o", "json"], { tasks: { listTasks: tasks } });
  expect((JSON.parse(stdout) as { tasks: { id: string }[] }).tasks.map(({ id }) => id)).toEqual(["a", "large"]);
  expect(stderr).toContain("without payloads: large.");
  expect(stderr).toContain("not listed: huge.");
  expect(code).toBe(0);
});

/** Two tasks, then an empty page, then the rest. */
function pages(asked: ListTasksRequest[] = []): World {
  return {
    tasks: {
      listTasks: (request) => {
        asked.push(request);
        if (request.pageToken === "") return { tasks: [readyTask(), failedTask({ id: "t2" })], nextPageToken: "p2" };
        if (request.pageToken === "p2") return { nextPageToken: "p3" };
        return { tasks: [completedTask("1", { id: "a-longer-id" })] };
      },
    },
  };
}

test("lists the tasks of all pages, and reads on over an empty one", async () => {
  const { code, stdout, stderr } = await tq(["task", "ls"], pages());
  expect(stdout.split("\n")).toEqual([
    "ID  STATE   QUEUE  KIND      TYPE   PRIORITY  ATTEMPT  ADDED   NOTE",
    "t1  READY   demo   activity  greet         3        0  5m ago  -",
    "t2  FAILED  demo   activity  greet         3        3  5m ago  closed 1m ago: TypeError: x is not a function",
    "a-longer-id  COMPLETED  demo   activity  greet         3        1  5m ago  closed 1m ago",
    "",
  ]);
  expect([code, stderr]).toEqual([0, ""]);
});

test("prints JSON with payloads, a page at a time", async () => {
  const asked: ListTasksRequest[] = [];
  const { code, stdout } = await tq(["task", "ls", "-o", "json"], pages(asked));
  const { tasks, more } = JSON.parse(stdout) as { tasks: { id: string; input: unknown }[]; more: boolean };
  expect(tasks.map(({ id }) => id)).toEqual(["t1", "t2", "a-longer-id"]);
  expect(tasks[0]!.input).toEqual(["world", { loud: true }]);
  expect([code, more]).toEqual([0, false]);
  expect(asked.map(({ includePayloads, pageSize }) => [includePayloads, pageSize])).toEqual([
    [true, 100],
    [true, 98],
    [true, 98],
  ]);
});

test("stops at the limit and says that there may be more", async () => {
  const { stdout, stderr } = await tq(["task", "ls", "--limit", "2", "-o", "json"], pages());
  expect(JSON.parse(stdout)).toMatchObject({ more: true });
  expect(stderr).toMatch(/^There may be more than these 2/);
});

test("without a limit, says nothing where there were some", async () => {
  const { stdout, stderr } = await tq(["task", "ls", "--limit", "0"], pages());
  expect(stdout).not.toBe("");
  expect(stderr).toBe("");
});

test("says when there are none", async () => {
  const tasks: World["tasks"] = { listTasks: () => ({}) };
  expect(await tq(["task", "ls"], { tasks })).toMatchObject({
    code: 0,
    stdout: "",
    stderr: expect.stringContaining("No tasks yet") as string,
  });
  expect((await tq(["task", "ls", "--state", "dead"], { tasks })).stderr).toMatch(/^No task matches/);
  expect((await tq(["task", "ls", "-o", "json"], { tasks })).stdout).toBe('{\n  "tasks": [],\n  "more": false\n}\n');
});
