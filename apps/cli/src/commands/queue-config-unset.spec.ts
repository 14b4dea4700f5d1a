import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ConfiguredQueue } from "../../test/configured-queue.ts";
import { parsed, tq } from "../../test/tq.ts";

const unset = ["queue", "config", "unset"];

test("parses fields of a queue and of a key", async () => {
  expect((await parsed([...unset, "demo", "rate", "max-attempts", "retries"])).options).toEqual({
    queue: "demo",
    target: { of: "queue" },
    fields: ["rate", "max-attempts", "retries"],
  });
  const argv = ["demo", "--kind", "workflow", "--key", "a", "weight", "--revision", "2", "--reason", "why"];
  expect((await parsed([...unset, ...argv])).options).toEqual({
    queue: "demo",
    kind: "workflow",
    target: { of: "key", key: "a" },
    fields: ["weight"],
    revision: 2,
    reason: "why",
  });
  expect((await parsed([...unset, "demo", "--default-key"])).options).toMatchObject({ target: { of: "default-key" } });
});

test.each([
  [[], "missing required argument 'QUEUE'"],
  [["demo"], "nothing to unset: name fields. There are rate, burst,"],
  [["demo", "speed"], "argument 'FIELD': a queue has no speed. There are rate, burst,"],
  [["demo", "weight"], "argument 'FIELD': a queue has no weight."],
  [
    ["demo", "--key", "a", "max-backlog"],
    "argument 'FIELD': a fairness key has no max-backlog. There are rate, burst,",
  ],
  [["demo", "--key", "a", "--default-key"], "cannot be used with option"],
])("refuses %j, and changes nothing", async (argv, message) => {
  const queue = new ConfiguredQueue();
  const { code, stderr } = await tq([...unset, ...argv], queue.world);
  expect(stderr).toContain(message);
  expect([code, queue.asked]).toEqual([2, []]);
});

test("puts fields back to their defaults, and leaves the others", async () => {
  const queue = new ConfiguredQueue({
    revision: 1n,
    ratePerSecond: 1,
    burst: 2,
    deadRetention: durationFromMs(1_000),
    fairnessKeys: { a: {} },
    defaultRetryPolicy: { maximumAttempts: 3, jitter: 0, nonRetryableFailureTypes: ["A"] },
  });
  const ran = await tq([...unset, "demo", "rate", "dead-retention", "jitter", "non-retryable"], queue.world);
  expect(ran).toEqual({
    code: 0,
    stdout:
      "demo (activity)\nburst          2\nfairness keys  a: no limits\nretries        3 attempts\nrevision       2\n",
    stderr: "",
  });
  expect(queue.asked[0]!.updateMask!.paths).toEqual(["rate_per_second", "dead_retention", "default_retry_policy"]);
  const { stdout } = await tq([...unset, "demo", "burst", "max-attempts", "keys"], queue.world);
  expect(stdout).toBe("demo (activity)\nset       nothing\nrevision  3\n");
  expect(queue.config.defaultRetryPolicy).toBeUndefined();
});

test("retries is the whole retry policy, also beside a part of it", async () => {
  const queue = new ConfiguredQueue({ defaultRetryPolicy: { maximumAttempts: 3, jitter: 0 } });
  await tq([...unset, "demo", "retries", "jitter"], queue.world);
  expect(queue.config.defaultRetryPolicy).toBeUndefined();
});

test("takes limits off a fairness key, or the key as a whole", async () => {
  const queue = new ConfiguredQueue({
    fairnessKeys: { a: { ratePerSecond: 1, weight: 2 }, b: { maxStarted: 1 } },
    defaultFairnessKey: { ratePerSecond: 1, burst: 2 },
  });
  await tq([...unset, "demo", "--key", "a", "rate"], queue.world);
  await tq([...unset, "demo", "--key", "b"], queue.world);
  await tq([...unset, "demo", "--default-key", "burst"], queue.world);
  expect(Object.entries(queue.config.fairnessKeys)).toEqual([["a", expect.objectContaining({ weight: 2 })]]);
  expect(queue.config.fairnessKeys["a"]!.ratePerSecond).toBeUndefined();
  expect(queue.config.defaultFairnessKey).toMatchObject({ ratePerSecond: 1 });
  expect(queue.config.defaultFairnessKey!.burst).toBeUndefined();
  // A key without limits stays listed: those of the default key do not hold for it.
  await tq([...unset, "demo", "--key", "a", "weight"], queue.world);
  expect(Object.keys(queue.config.fairnessKeys)).toEqual(["a"]);
  await tq([...unset, "demo", "--default-key"], queue.world);
  expect(queue.config.defaultFairnessKey).toBeUndefined();
});

test.each([[["--key", "x"]], [["--key", "x", "rate"]], [["--default-key"]], [["--default-key", "rate"]]])(
  "%j where it is not set changes nothing, says so, and exits 0",
  async (argv) => {
    const queue = new ConfiguredQueue({ revision: 2n, burst: 1 });
    expect(await tq([...unset, "demo", ...argv], queue.world)).toEqual({
      code: 0,
      stdout: "demo (activity)\nburst     1\nrevision  2\n",
      stderr: "Nothing is set for that fairness key of demo (activity).\n",
    });
    expect(queue.asked).toEqual([]);
  },
);
