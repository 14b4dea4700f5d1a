import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { ConfiguredQueue } from "../../test/configured-queue.ts";
import { parsed, tq } from "../../test/tq.ts";

const set = ["queue", "config", "set"];

test("parses every setting of a queue", async () => {
  const argv = ["demo", "--kind", "workflow", "--rate", "2.5", "--burst", "5", "--max-started", "0"];
  argv.push("--max-backlog", "1000", "--completed-retention", "0s", "--dead-retention", "7d", "--start-to-close", "5m");
  argv.push(
    "--schedule-to-start",
    "1m",
    "--schedule-to-close",
    "1h",
    "--max-attempts",
    "3",
    "--initial-interval",
    "1s",
  );
  argv.push("--backoff-coefficient", "1.5", "--max-interval", "1m", "--jitter", "0", "--non-retryable", "A");
  argv.push("--non-retryable", "B", "--revision", "4", "--reason", "why", "--actor", "bot");
  expect((await parsed([...set, ...argv])).options).toEqual({
    queue: "demo",
    kind: "workflow",
    target: { of: "queue" },
    values: {
      rate: 2.5,
      burst: 5,
      "max-started": 0,
      "max-backlog": 1_000n,
      "completed-retention": durationFromMs(0),
      "dead-retention": durationFromMs(604_800_000),
      "start-to-close": durationFromMs(300_000),
      "schedule-to-start": durationFromMs(60_000),
      "schedule-to-close": durationFromMs(3_600_000),
      "max-attempts": 3,
      "initial-interval": durationFromMs(1_000),
      "backoff-coefficient": 1.5,
      "max-interval": durationFromMs(60_000),
      jitter: 0,
      "non-retryable": ["A", "B"],
    },
    revision: 4,
    reason: "why",
    actor: "bot",
  });
});

test("parses the settings of a fairness key", async () => {
  const limits = ["--rate", "1", "--burst", "2", "--weight", "0.5", "--max-started", "3"];
  const values = { rate: 1, burst: 2, weight: 0.5, "max-started": 3 };
  expect((await parsed([...set, "demo", "--key", "acme", ...limits])).options).toEqual({
    queue: "demo",
    target: { of: "key", key: "acme" },
    values,
  });
  expect((await parsed([...set, "demo", "--default-key", ...limits])).options).toMatchObject({
    target: { of: "default-key" },
    values,
  });
  expect((await parsed([...set, "demo", "--key", "acme"])).options).toMatchObject({ values: {} });
});

test.each([
  [[], "missing required argument 'QUEUE'"],
  [["demo"], "nothing to set: give at least one setting"],
  [["demo", "--default-key"], "nothing to set"],
  [["demo", "--rate", "fast"], "'--rate <n>' argument 'fast' is invalid. Give a number, 0 or more."],
  [["demo", "--burst", "0"], "'--burst <n>' argument '0' is invalid. Give a whole number from 1 to 4294967295."],
  [["demo", "--max-backlog", "-1"], "'--max-backlog <n>' argument '-1' is invalid."],
  [["demo", "--dead-retention", "7"], "'--dead-retention <duration>' argument '7' is invalid."],
  [["demo", "--jitter", "2"], "'--jitter <0-1>' argument '2' is invalid. Give a number from 0 to 1."],
  [["demo", "--backoff-coefficient", "0.5"], "Give a number, 1 or more."],
  [["demo", "--non-retryable", ""], "'--non-retryable <type>' argument '' is invalid."],
  [["demo", "--weight", "2"], "'--weight <n>' needs --key or --default-key"],
  [["demo", "--key", "a", "--weight", "0"], "Give a number from 0.001 to 1000."],
  [["demo", "--key", "a", "--max-backlog", "1"], "'--max-backlog <n>' is of the queue, and not of a fairness key"],
  [["demo", "--key", "a", "--rate", "1", "--key", "b"], "'--key <key>' argument 'b' is invalid. Give it once."],
  [["demo", "--key", "a", "--default-key", "--rate", "1"], "'--default-key' cannot be used with option '--key <key>'"],
  [["demo", "--rate", "1", "--revision", "x"], "'--revision <n>' argument 'x' is invalid."],
])("refuses %j, and changes nothing", async (argv, message) => {
  const queue = new ConfiguredQueue();
  const { code, stdout, stderr } = await tq([...set, ...argv], queue.world);
  expect(stderr).toContain(message);
  expect([code, stdout, queue.asked]).toEqual([2, "", []]);
});

test("sets what is named, of the activity queue unless told otherwise, and prints what it then is", async () => {
  const queue = new ConfiguredQueue({ revision: 3n, burst: 7, ratePerSecond: 1 });
  expect(await tq([...set, "demo", "--rate", "10", "--dead-retention", "1d", "--reason", "why"], queue.world)).toEqual({
    code: 0,
    stdout: "demo (activity)\nrate       10/s\nburst      7\ndead kept  1d\nrevision   4\n",
    stderr: "",
  });
  expect(queue.asked).toMatchObject([
    {
      namespace: "default",
      action: { actor: "alice@laptop", reason: "why" },
      taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY },
      updateMask: { paths: ["rate_per_second", "dead_retention"] },
      expectedRevision: 3n,
    },
  ]);
  const { stdout } = await tq([...set, "demo", "--kind", "workflow", "--burst", "1", "-o", "json"], queue.world);
  expect(JSON.parse(stdout)).toMatchObject({
    taskQueue: { name: "demo", kind: "WORKFLOW" },
    config: { revision: 5, ratePerSecond: 10, burst: 1, deadRetention: "86400s" },
  });
});

test("changes a part of the retry policy, and leaves the others", async () => {
  const queue = new ConfiguredQueue({ defaultRetryPolicy: { maximumAttempts: 3, nonRetryableFailureTypes: ["A"] } });
  await tq([...set, "demo", "--jitter", "0.5", "--non-retryable", "B", "--rate", "1"], queue.world);
  expect(queue.config).toMatchObject({
    ratePerSecond: 1,
    defaultRetryPolicy: { maximumAttempts: 3, jitter: 0.5, nonRetryableFailureTypes: ["B"] },
  });
  expect(queue.asked[0]!.updateMask!.paths).toEqual(["rate_per_second", "default_retry_policy"]);
});

test("changes one fairness key, and leaves the others", async () => {
  const queue = new ConfiguredQueue({ fairnessKeys: { a: { ratePerSecond: 1, weight: 2 }, b: { maxStarted: 1 } } });
  await tq([...set, "demo", "--key", "a", "--rate", "5"], queue.world);
  await tq([...set, "demo", "--key", "__proto__", "--max-started", "9"], queue.world);
  await tq([...set, "demo", "--key", "vip"], queue.world);
  await tq([...set, "demo", "--default-key", "--weight", "0.5"], queue.world);
  const { fairnessKeys, defaultFairnessKey } = queue.config;
  expect(Object.entries(fairnessKeys)).toMatchObject([
    ["a", { ratePerSecond: 5, weight: 2 }],
    ["b", { maxStarted: 1 }],
    ["__proto__", { maxStarted: 9 }],
    ["vip", {}],
  ]);
  expect(defaultFairnessKey).toMatchObject({ weight: 0.5 });
});

test("where somebody else's change comes in between, both stand", async () => {
  const queue = new ConfiguredQueue({ revision: 1n, fairnessKeys: { a: { weight: 1 } } });
  queue.overtaking.push(
    (config) => (config.burst = 9),
    (config) => delete config.fairnessKeys["a"],
  );
  const { code } = await tq([...set, "demo", "--key", "b", "--rate", "5"], queue.world);
  expect(code).toBe(0);
  expect(queue.config).toMatchObject({ burst: 9, revision: 4n });
  expect(Object.keys(queue.config.fairnessKeys)).toEqual(["b"]);
  const ids = queue.asked.map(({ action }) => action!.requestId);
  expect([ids.length, new Set(ids).size]).toEqual([3, 3]);
});

test("gives up where that does not end, and says what to look at", async () => {
  const queue = new ConfiguredQueue({ revision: 1n });
  for (let i = 0; i < 10; i++) queue.overtaking.push((config) => (config.burst = i));
  const { code, stderr } = await tq([...set, "demo", "--rate", "5"], queue.world);
  expect(stderr).toBe("tq: somebody else has changed it first\n`tq queue config get NAME` shows what there is now.\n");
  expect([code, queue.asked.length]).toEqual([1, 5]);
});

test("--revision insists: neither another one nor a change in between is overwritten", async () => {
  const queue = new ConfiguredQueue({ revision: 4n });
  const argv = [...set, "demo", "--rate", "5", "--revision"];
  expect(await tq([...argv, "3"], queue.world)).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "tq: The configuration of demo (activity) is at revision 4, not 3: nothing was changed.\n" +
      "`tq queue config get NAME` shows what there is now.\n",
  });
  expect(queue.asked).toEqual([]);
  queue.overtaking.push((config) => (config.burst = 1));
  expect((await tq([...argv, "4"], queue.world)).code).toBe(1);
  expect(queue.asked).toHaveLength(1);
  expect((await tq([...argv, "5"], queue.world)).code).toBe(0);
  expect(queue.config).toMatchObject({ ratePerSecond: 5, burst: 1, revision: 6n });
});
