import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { AddWarning, type GetTasksRequest, type NewTask, type Task, TaskQueueKind, WaitReason } from "@tq/proto";
import { expect, onTestFinished, test } from "vitest";
import { completedTask, failedTask, json, readyTask } from "../../test/messages.ts";
import { startTq, parsed, tq, type World } from "../../test/tq.ts";
import { JsonText } from "../json-text.ts";

/** Takes adds and notes them; the tasks close as told. */
function queue(...answers: Task[][]): World & { added: NewTask[]; asked: GetTasksRequest[] } {
  const added: NewTask[] = [];
  const asked: GetTasksRequest[] = [];
  return {
    added,
    asked,
    tasks: {
      addTasks: ({ tasks }) => (added.push(...tasks), { tasks: tasks.map(({ id }) => ({ id, run: 1 })) }),
      getTasks: (request) => (asked.push(request), { tasks: answers.length > 1 ? answers.shift()! : answers[0]! }),
    },
  };
}

test("parses all options", async () => {
  const argv = [
    "--id",
    "t1",
    "--priority",
    "1",
    "--fairness-key",
    "k",
    "--fairness-weight",
    "0.5",
    "--serial-key",
    "s",
  ];
  argv.push("--delay", "10s", "--header", "a=b=c", "--header", "d=", "--max-attempts", "0", "--start-to-close", "2h");
  argv.push("--id-policy", "allow");
  argv.push("--retention", "1d", "--on-close", "a:b:done", "--workflow", "--input-file", "a", "--input-file", "-");
  const { options } = await parsed(["task", "add", "demo", "greet", '"world"', "-5", ...argv]);
  expect(options).toEqual({
    queue: "demo",
    type: "greet",
    args: [new JsonText('"world"'), new JsonText("-5")],
    inputFile: ["a", "-"],
    workflow: true,
    id: "t1",
    idPolicy: "allow",
    priority: 1,
    fairnessKey: "k",
    fairnessWeight: 0.5,
    serialKey: "s",
    delay: 10_000,
    header: { a: "b=c", d: "" },
    maxAttempts: 0,
    startToClose: 7_200_000,
    retention: 86_400_000,
    onClose: { taskQueue: "a:b", type: "done" },
  });
});

test.each([
  [["--wait", "demo", "greet"], Number.POSITIVE_INFINITY],
  [["demo", "greet", "--wait"], Number.POSITIVE_INFINITY],
  [["demo", "greet", "--wait", "30s"], 30_000],
  [["demo", "greet", "--wait=1m"], 60_000],
])("takes no queue for the timeout of --wait: %j", async (argv, wait) => {
  expect((await parsed(["task", "enqueue", ...argv])).options).toEqual({
    queue: "demo",
    type: "greet",
    args: [],
    wait,
  });
});

test.each([
  [
    ["world"],
    `JSON argument 1: world is no JSON (Unexpected token 'w'). Text needs quotes that the shell leaves alone: '"world"'`,
  ],
  [["1", "{a:1}"], "JSON argument 2: {a:1} is no JSON"],
  [["--delay", "10"], `option '--delay <duration>' argument '10' is invalid. "10" is not a length of time`],
  [["--wait", "5"], "option '--wait [timeout]' argument '5' is invalid"],
  [["--priority", "6"], "Give a whole number from 1 to 5."],
  [["--fairness-weight", "x"], "Give a number from 0.001 to 1000."],
  [["--header", "a"], "Write it as NAME=VALUE."],
  [["--on-close", "a"], "Write it as QUEUE:TYPE"],
  [["--input-file", "/no/such"], "--input-file: /no/such: there is no such file"],
  [["--input-file", "-", "--input-file", "-"], "--input-file: stdin can be read once"],
  [["--pririty", "1"], "unknown option '--pririty'\n(Did you mean --priority?)"],
])("refuses %j as wrong usage, and adds nothing", async (argv, message) => {
  const world = queue();
  const { code, stdout, stderr } = await tq(["task", "add", "demo", "greet", ...argv], world);
  expect(stderr).toMatch(/^tq: /);
  expect(stderr).toContain(message);
  expect([code, stdout, world.added]).toEqual([2, "", []]);
});

test("adds the task, each JSON as it was typed, and prints its id alone", async () => {
  const world = queue();
  const argv = ["task", "add", "demo", "greet", "12345678901234567890", '{"a": 1}', "--id", "t1", "--delay", "10s"];
  expect(await tq([...argv, "--on-close", "engine:done"], world)).toEqual({ code: 0, stdout: "t1\n", stderr: "" });
  expect(world.added).toMatchObject([
    {
      id: "t1",
      taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY },
      type: "greet",
      input: [json("12345678901234567890"), json('{"a": 1}')],
      startDelay: { seconds: 10n },
      onClose: { taskQueue: { name: "engine", kind: TaskQueueKind.WORKFLOW }, type: "done" },
    },
  ]);
});

test("takes input from files and stdin", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tq-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "input.json");
  writeFileSync(file, '{"from":"file"}\n');
  const world = { ...queue(), stdin: " [1, 2]\n" };
  const argv = ["task", "add", "demo", "greet", "0", "--workflow", "--input-file", file, "--input-file", "-"];
  expect((await tq(argv, world)).code).toBe(0);
  expect(world.added).toMatchObject([
    { taskQueue: { kind: TaskQueueKind.WORKFLOW }, input: [json("0"), json('{"from":"file"}'), json("[1, 2]")] },
  ]);
  const bad = await tq(["task", "add", "demo", "greet", "--input-file", "-"], { ...queue(), stdin: "{" });
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining("--input-file: stdin is no JSON") as string });
});

test("prints what became of the add as JSON, and its warnings", async () => {
  const tasks: World["tasks"] = {
    addTasks: () => ({
      tasks: [{ id: "t1", run: 2, existed: true, warnings: [AddWarning.NO_WORKER_FOR_TYPE] }],
    }),
  };
  const { code, stdout, stderr } = await tq(["task", "add", "demo", "greet", "--id", "t1", "-o", "json"], { tasks });
  expect(JSON.parse(stdout)).toEqual({ id: "t1", run: 2, existed: true, warnings: ["NO_WORKER_FOR_TYPE"] });
  expect(stderr).toContain("Task t1 is open already");
  expect(stderr).toContain('no live worker of demo has registered "greet"');
  expect(code).toBe(0);
});

test("--wait prints the result, with all digits of its numbers", async () => {
  const world = queue([completedTask('{"n":12345678901234567890}')]);
  const { code, stdout } = await tq(["task", "add", "demo", "greet", "--wait", "--id", "t1"], world);
  expect([code, stdout]).toEqual([0, '{\n  "n": 12345678901234567890\n}\n']);
});

test("--wait -o json prints the whole task, with input and result decoded", async () => {
  const world = queue([completedTask('"hello"')]);
  const { code, stdout } = await tq(["task", "add", "demo", "greet", "--wait", "--id", "t1", "-o", "json"], world);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    id: "t1",
    state: "COMPLETED",
    input: ["world", { loud: true }],
    outcome: { state: "COMPLETED", result: "hello" },
  });
});

test("--wait exits 1 and says why if the task failed", async () => {
  const { code, stdout, stderr } = await tq(
    ["task", "add", "demo", "greet", "--wait", "--id", "t1"],
    queue([failedTask()]),
  );
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("Task t1 (greet) failed after 3 attempts: TypeError: x is not a function");
});

test("--wait says why the task waits, gives up when its time is over, and says how to look again", async () => {
  const hint = "No live worker polls it; start one.";
  const waiting = readyTask({ reasons: [{ reason: WaitReason.NO_WORKERS, hint }] });
  let nowMs = 0;
  const world = { ...queue([waiting]), now: () => (nowMs += 1_000) };
  const { code, stdout, stderr } = await tq(["task", "add", "demo", "greet", "--wait", "5s", "--id", "t1"], world);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(`waiting for it to close.\n${hint}\n`);
  expect(stderr).toContain("has not closed yet: it is READY.");
  expect(stderr).toContain("Look again with: tq task get t1");
});

test("--wait sits out a restart of the server", async () => {
  let calls = 0;
  const tasks: World["tasks"] = {
    addTasks: ({ tasks: [task] }) => ({ tasks: [{ id: task!.id, run: 1 }] }),
    getTasks: () => {
      if (calls++ === 0) throw new ConnectError("the server is shutting down", Code.Unavailable);
      return { tasks: [completedTask("1")] };
    },
  };
  const { code, stdout, stderr } = await tq(["task", "add", "demo", "greet", "--id", "t1", "--wait"], { tasks });
  expect([code, stdout]).toEqual([0, "1\n"]);
  expect(stderr).toContain("The server at 127.0.0.1:7333 is away (unavailable): asking again for 30 s.");
});

test("Ctrl-C while it waits exits 130", async () => {
  const { promise: isAsked, resolve } = Promise.withResolvers<void>();
  const tasks: World["tasks"] = {
    addTasks: ({ tasks: [task] }) => ({ tasks: [{ id: task!.id, run: 1 }] }),
    getTasks: () => {
      resolve();
      return new Promise(() => {});
    },
  };
  const running = startTq(["task", "add", "demo", "greet", "--wait"], { tasks });
  await isAsked;
  running.interrupt("SIGINT");
  expect((await running.ended).code).toBe(130);
});
