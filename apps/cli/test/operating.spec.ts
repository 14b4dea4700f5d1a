// The operator's commands against a real server, in memory.
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, systemClock } from "@tq/client";
import { AnswerResult, type DispatchedTask, TaskQueueKind } from "@tq/proto";
import { TestServer } from "@tq/testing";
import { expect, onTestFinished, test } from "vitest";
import { type Ran, tq } from "./tq.ts";

interface Operated {
  readonly server: TestServer;
  readonly client: Client;
  /** Runs a command against the server. */
  readonly run: (...argv: string[]) => Promise<Ran>;
  /** Runs it, which must go well, and reads its JSON. */
  readonly json: (...argv: string[]) => Promise<Record<string, unknown>>;
}

async function operated(): Promise<Operated> {
  const server = await TestServer.start();
  onTestFinished(() => server.stop());
  const client = Client.create({ transport: server.transport, clock: systemClock });
  onTestFinished(() => client.close());
  const world = { transport: server.transport, now: server.clock.now };
  const run = (...argv: string[]) => tq(argv, world);
  return {
    server,
    client,
    run,
    json: async (...argv) => {
      const { code, stdout, stderr } = await run(...argv, "-o", "json");
      expect([code, stderr]).toEqual([0, expect.stringMatching(/^(?!tq: )/)]);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
  };
}

async function poll(client: Client, queue: string, workerId = "w1"): Promise<DispatchedTask[]> {
  const { tasks } = await client.services.workers.pollTasks({
    worker: {
      workerId,
      identity: "4711@host",
      buildId: "v2",
      registrationsHash: "h",
      registrations: { activityTypes: ["greet"] },
    },
    taskQueues: [{ name: queue, kind: TaskQueueKind.ACTIVITY }],
    maxTasks: 10,
    wait: { seconds: 0n },
  });
  return tasks;
}

async function failAll(client: Client, queue: string): Promise<void> {
  const tasks = await poll(client, queue);
  const failure = { type: "TypeError", message: "x is not a function", nonRetryable: true };
  const answers = tasks.map(({ token }) => ({ token, answer: { case: "failed" as const, value: { failure } } }));
  await client.services.workers.respondTasks({ workerId: "w1", answers });
}

test("configuration: what is set is got, changed in parts, and unset", async () => {
  const { run, json } = await operated();
  const { stdout } = await run("queue", "config", "get", "demo");
  expect(stdout).toBe("demo (activity): nothing was ever set\n\ndemo (workflow): nothing was ever set\n");
  const all = ["--rate", "2.5", "--burst", "5", "--max-started", "3", "--max-backlog", "1000"];
  all.push(
    "--completed-retention",
    "0s",
    "--dead-retention",
    "7d",
    "--start-to-close",
    "5m",
    "--schedule-to-start",
    "1m",
  );
  all.push("--schedule-to-close", "1h", "--max-attempts", "3", "--non-retryable", "Gone");
  await json("queue", "config", "set", "demo", ...all);
  await json("queue", "config", "set", "demo", "--key", "acme", "--rate", "10", "--weight", "2");
  await json("queue", "config", "set", "demo", "--key", "acme", "--weight", "3");
  await json("queue", "config", "set", "demo", "--key", "vip");
  await json("queue", "config", "set", "demo", "--default-key", "--max-started", "1");
  const { taskQueues } = await json("queue", "config", "get", "demo");
  expect(taskQueues).toMatchObject([
    {
      taskQueue: { name: "demo", kind: "ACTIVITY" },
      config: {
        revision: expect.any(Number) as number,
        ratePerSecond: 2.5,
        burst: 5,
        maxStarted: 3,
        maxBacklog: 1000,
        completedRetention: "0s",
        deadRetention: "604800s",
        defaultStartToCloseTimeout: "300s",
        defaultScheduleToStartTimeout: "60s",
        defaultScheduleToCloseTimeout: "3600s",
        defaultRetryPolicy: { maximumAttempts: 3, nonRetryableFailureTypes: ["Gone"] },
        fairnessKeys: { acme: { ratePerSecond: 10, weight: 3 }, vip: {} },
        defaultFairnessKey: { maxStarted: 1 },
      },
    },
    { taskQueue: { name: "demo", kind: "WORKFLOW" }, config: { revision: 0 } },
  ]);
  expect((await run("queue", "describe", "demo")).stdout).toContain("fairness keys      acme: 10/s, weight 3\n");

  await json("queue", "config", "unset", "demo", "burst", "max-started", "retries", "completed-retention");
  await json("queue", "config", "unset", "demo", "--key", "acme", "rate");
  await json("queue", "config", "unset", "demo", "--key", "vip");
  const { config } = await json("queue", "config", "unset", "demo", "--default-key");
  expect(config).toMatchObject({
    revision: expect.any(Number) as number,
    ratePerSecond: 2.5,
    fairnessKeys: { acme: { weight: 3 } },
  });
  const left = Object.keys(config as object).filter((name) => !/^default|retention|revision|fairnessKeys/i.test(name));
  expect(left).toEqual(["ratePerSecond", "maxBacklog"]);
  expect(config).not.toHaveProperty("defaultRetryPolicy");
  expect(config).not.toHaveProperty("defaultFairnessKey");

  expect(await run("queue", "config", "set", "demo", "--rate", "1", "--revision", "1")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^tq: The configuration of demo \(activity\) is at revision \d+, not 1:/) as string,
  });
  expect(await run("queue", "config", "set", "demo", "--max-started", "0")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tq: .*config\.max_started/) as string,
  });
  expect(await run("queue", "config", "set", "tq.own", "--rate", "1")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tq: .*task_queue\.name/) as string,
  });
});

test("two operators at a time: both changes stand", async () => {
  const { run, json } = await operated();
  await json("queue", "config", "set", "demo", "--rate", "1");
  const keys = ["a", "b", "c", "d"];
  const ran = await Promise.all(
    keys.map((key) => run("queue", "config", "set", "demo", "--key", key, "--weight", "2")),
  );
  expect(ran.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  const { taskQueues } = await json("queue", "config", "get", "demo", "--kind", "activity");
  const [{ config }] = taskQueues as [{ config: { fairnessKeys: object } }];
  expect(Object.keys(config.fairnessKeys).sort()).toEqual(keys);
});

test("a paused queue takes adds and dispatches nothing, until it is over or resumed", async () => {
  const { server, client, run } = await operated();
  const paused = await run("queue", "pause", "demo", "--for", "10m", "--reason", "deploy");
  expect(paused.stdout).toBe(
    "demo is paused since 2026-01-01T00:00:00.000Z (0ms ago) until 2026-01-01T00:10:00.000Z (in 10m) by alice@laptop: deploy\n",
  );
  expect((await run("task", "add", "demo", "greet", "--id", "t1")).code).toBe(0);
  expect(await poll(client, "demo")).toEqual([]);
  const { stdout } = await run("queue", "describe", "demo", "--kind", "activity");
  expect(stdout).toMatch(/^paused +since .* until .* by alice@laptop: deploy$/m);
  expect(stdout).toMatch(/^ {2}PAUSED 1 task/m);
  expect((await run("queue", "ls")).stdout).toMatch(/^demo +activity +1 .*  PAUSED: /m);
  expect((await run("task", "get", "t1")).stdout).toMatch(/^waits because +PAUSED/m);
  await server.clock.advance(600_000);
  expect(await poll(client, "demo")).toHaveLength(1);

  await run("queue", "pause", "demo", "--kind", "activity");
  await run("task", "add", "demo", "greet");
  expect(await poll(client, "demo")).toEqual([]);
  expect((await run("queue", "resume", "demo")).stdout).toBe("demo was paused, and goes on\n");
  expect(await poll(client, "demo")).toHaveLength(1);
  expect((await run("queue", "resume", "demo")).stderr).toBe("demo was neither paused nor draining.\n");
});

test("a drained queue refuses adds, and says how to end that", async () => {
  const { run } = await operated();
  expect((await run("queue", "drain", "demo", "--reason", "going")).stdout).toMatch(
    /^demo refuses adds since .* by alice@laptop: going\n$/,
  );
  const refused = await run("task", "add", "demo", "greet");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("`tq queue resume NAME` lets it take adds again.");
  expect((await run("queue", "describe", "demo")).stdout).toMatch(/^refuses adds +since .*: going$/m);
  expect((await run("queue", "ls")).stdout).toContain("draining: refuses adds");
  expect((await run("queue", "resume", "demo", "--kind", "activity")).stdout).toBe(
    "demo (activity) was draining, and goes on\n",
  );
  expect((await run("task", "add", "demo", "greet")).code).toBe(0);
});

test("a queue that has tasks is removed with --purge", async () => {
  const { run, json } = await operated();
  await run("queue", "config", "set", "demo", "--rate", "1");
  await run("task", "add", "demo", "greet", "--id", "t1");
  const refused = await run("queue", "rm", "demo");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain("`tq queue rm NAME --purge --yes`");
  expect((await run("queue", "rm", "demo", "--purge", "--yes")).stdout).toBe(
    "demo (activity) is removed, and 1 task with it\ndemo (workflow) is removed\n",
  );
  expect(await json("queue", "ls")).toEqual({ taskQueues: [] });
  expect(await json("queue", "rm", "demo", "--kind", "activity")).toEqual({
    taskQueues: [{ taskQueue: { name: "demo", kind: "ACTIVITY" }, examined: 0, changed: 0, skipped: 0 }],
  });
});

test("dead tasks are redriven, with the attempts of their runs", async () => {
  const { client, run, json } = await operated();
  for (const id of ["t1", "t2", "u1"]) await run("task", "add", "demo", "greet", "--id", id);
  await failAll(client, "demo");
  await run("task", "add", "demo", "greet", "--id", "t3");
  const redrive = ["task", "redrive", "--queue", "demo", "--id-prefix", "t"];
  expect(await json(...redrive, "--dry-run")).toMatchObject({ dryRun: true, changed: 2, skipped: 1 });
  expect(await json("task", "ls", "--state", "dead")).toMatchObject({ tasks: [{}, {}, {}] });
  expect((await run(...redrive, "--reason", "fixed")).stdout).toMatch(
    /^redriven +2\nskipped +1 that is not dead\nlooked at +\d+\n$/,
  );
  await failAll(client, "demo");
  expect((await run("task", "get", "t1")).stdout).toMatch(/^failed attempts +run 1 #1 .*\n +run 2 #1 .*TypeError/m);
  expect(await run("task", "redrive", "--failure-type", "Other")).toMatchObject({
    code: 0,
    stderr: "No task matches: nothing was redriven.\n",
  });
  expect(await run("task", "redrive", "t1", "nope")).toMatchObject({
    code: 0,
    stderr: "1 of the 2 ids does not match.\n",
  });
});

test("waiting tasks are moved, each to the queue of its kind", async () => {
  const { client, run, json } = await operated();
  await run("task", "add", "a", "greet", "--id", "started");
  expect(await poll(client, "a")).toHaveLength(1);
  await run("task", "add", "a", "greet", "--id", "t1");
  await run("task", "add", "a", "decide", "--id", "w1", "--workflow");
  await run("task", "add", "a", "decide", "--id", "w2", "--workflow");
  expect(await json("task", "move", "w2", "--to", "b")).toMatchObject({ changed: 1, skipped: 0 });
  expect(await json("task", "move", "--queue", "a", "--to", "b")).toMatchObject({ changed: 2, skipped: 1 });
  expect(await json("task", "ls", "--queue", "b")).toMatchObject({
    tasks: [
      { id: "t1", taskQueue: { name: "b", kind: "ACTIVITY" } },
      { id: "w1", taskQueue: { name: "b", kind: "WORKFLOW" } },
      { id: "w2", taskQueue: { name: "b", kind: "WORKFLOW" } },
    ],
  });
  expect(await run("task", "move", "--queue", "b", "--to", "tq.own")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tq: .*to\.name/) as string,
  });
});

test("started tasks are released from their worker, without using an attempt", async () => {
  const { client, run, json } = await operated();
  await run("task", "add", "demo", "greet", "--id", "t1");
  const [delivered] = await poll(client, "demo");
  expect(await json("task", "release", "--worker", "w1")).toMatchObject({ changed: 1 });
  expect(await json("task", "get", "t1")).toMatchObject({ state: "READY", failedAttempts: [] });
  const answers = [{ token: delivered!.token, answer: { case: "completed" as const, value: {} } }];
  const { statuses } = await client.services.workers.respondTasks({ workerId: "w1", answers });
  expect(statuses[0]!.result).toBe(AnswerResult.LEASE_LOST);
});

test("a purge cancels what is open and removes what is closed", async () => {
  const { client, run, json } = await operated();
  for (const id of ["dead", "left"]) await run("task", "add", id, "greet", "--id", id);
  await failAll(client, "dead");
  await run("task", "add", "dead", "greet", "--id", "open");
  expect(await json("task", "purge", "--queue", "dead", "--limit", "1", "--yes")).toMatchObject({ changed: 1 });
  expect(await json("task", "purge", "--queue", "dead", "--yes")).toMatchObject({ changed: 1 });
  expect(await json("task", "ls", "--state", "open")).toMatchObject({ tasks: [{ id: "left" }] });
  expect(await json("task", "purge", "--everything", "--yes", "--silent")).toMatchObject({ dryRun: false });
  expect(await json("task", "ls", "--state", "open")).toMatchObject({ tasks: [] });
});

test("workers are listed, described and drained", async () => {
  const { client, run, json } = await operated();
  await run("task", "add", "demo", "greet", "--id", "t1");
  await poll(client, "demo");
  expect(await json("worker", "ls")).toMatchObject({
    workers: [{ workerId: "w1", identity: "4711@host", buildId: "v2", live: true, started: 1 }],
  });
  expect((await run("worker", "ls", "--queue", "other")).stderr).toBe("No worker of that queue.\n");
  const { stdout } = await run("worker", "describe", "w1");
  expect(stdout).toMatch(/^activity types +greet$/m);
  expect(stdout).toMatch(/^ {2}t1 +demo \(activity\) +greet +1 /m);
  expect((await run("worker", "drain", "w1", "--reason", "old")).code).toBe(0);
  expect(await json("worker", "describe", "w1")).toMatchObject({ worker: { draining: true } });
  await run("task", "add", "demo", "greet", "--id", "t2");
  expect(await poll(client, "demo")).toEqual([]);
  const unknown = await run("worker", "describe", "w9");
  expect([unknown.code, unknown.stdout]).toEqual([1, ""]);
  expect(unknown.stderr).toContain("`tq worker ls` lists them.");
});

test("events tell what operators did", async () => {
  const { run, json } = await operated();
  expect((await run("events")).stderr).toBe("No events: operators have changed nothing.\n");
  await run("queue", "pause", "demo", "--kind", "activity", "--reason", "deploy");
  await run("queue", "resume", "demo", "--kind", "activity", "--actor", "bot");
  await run("queue", "drain", "other", "--kind", "workflow");
  expect(await json("events")).toMatchObject({
    events: [
      { call: "DrainTaskQueue", taskQueue: { name: "other", kind: "WORKFLOW" } },
      { call: "ResumeTaskQueue", actor: "bot" },
      {
        call: "PauseTaskQueue",
        actor: "alice@laptop",
        reason: "deploy",
        taskQueue: { name: "demo", kind: "ACTIVITY" },
      },
    ],
    more: false,
  });
  expect((await run("events", "--queue", "demo", "--limit", "1")).stdout).toMatch(/ResumeTaskQueue +demo \(activity\)/);
});

test("a namespace is created and described", async () => {
  const { run } = await operated();
  await run("namespace", "create", "shop", "--description", "the shop");
  await run("task", "add", "demo", "greet", "-n", "shop");
  const { stdout } = await run("namespace", "describe", "shop");
  expect(stdout).toMatch(/^namespace +shop\ndescription +the shop\ncreated .*\nqueues +1\ntasks +1 ready, 0 scheduled/);
  expect(await run("namespace", "describe", "nope")).toMatchObject({ code: 1, stdout: "" });
});

test("a backup is written where it was asked for, and nothing is overwritten", async () => {
  const { run, json } = await operated();
  const folder = mkdtempSync(join(tmpdir(), "tq-backup-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "tq.db");
  const { bytes } = await json("server", "backup", path);
  expect(existsSync(path)).toBe(true);
  expect(bytes).toBe(statSync(path).size);
  expect(await run("server", "backup", path)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("path") as string,
  });
});
