import { expect } from "vitest";
import type { ConfigField, TaskQueueConfig } from "../configuration.ts";
import type { ConfigureResult } from "../operator-operations.ts";
import { action, activities, start, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Sets these fields of the configuration of `activities`. */
export async function configure(
  d: Driver,
  to: Partial<Omit<TaskQueueConfig, "revision">>,
  expectedRevision?: number,
): Promise<ConfigureResult> {
  const fields = Object.keys(to).filter((field): field is ConfigField => field !== "revision");
  return d.run({
    verb: "configure",
    queue: activities,
    fields,
    to: { fairnessKeys: new Map(), ...to },
    ...(expectedRevision !== undefined && { expectedRevision }),
    action,
  });
}

const on = { queue: activities, action };
const anyNumber = expect.any(Number) as number;

/** What operators set on a queue. */
export function settings(harness: Harness): void {
  chapter("settings", harness, (test) => {
    test("change the named fields alone, and count the changes", async (d) => {
      const before = okay(await configure(d, { ratePerSecond: 5, maxBacklog: 7 })).config.revision;
      const changed = await configure(d, { maxBacklog: 9, fairnessKeys: new Map([["k", { weight: 2 }]]) });
      const { revision } = okay(changed).config;
      expect(revision).toBeGreaterThan(before);
      const config = {
        revision,
        ratePerSecond: 5,
        maxBacklog: 9,
        fairnessKeys: new Map([["k", { weight: 2 }]]),
      };
      expect(changed).toEqual({ verb: "configure", config });
      expect((await d.describe()).config).toEqual(config);
      await d.crash();
      expect((await d.describe()).config).toEqual(config);
    });

    test("put a field that is named and absent back to its default", async (d) => {
      await configure(d, { ratePerSecond: 5 });
      await d.run({
        verb: "configure",
        ...on,
        fields: ["ratePerSecond"],
        to: { fairnessKeys: new Map() },
      });
      expect((await d.describe()).config).toEqual({ revision: anyNumber, fairnessKeys: new Map() });
    });

    test("are refused if somebody else changed them first", async (d) => {
      const { revision: first } = okay(await configure(d, { maxBacklog: 1 }, 0)).config;
      expect(await configure(d, { maxBacklog: 1 }, 0)).toMatchObject({ refused: { subject: String(first) } });
      const { revision: second } = okay(await configure(d, { maxBacklog: 1 })).config;
      const { revision: third } = okay(await configure(d, { maxBacklog: 2 }, second)).config;
      expect(await configure(d, { maxBacklog: 3 }, second)).toEqual({
        verb: "configure",
        refused: { reason: "revision-mismatch", index: 0, subject: String(third) },
      });
      expect((await d.describe()).config.maxBacklog).toBe(2);
    });

    test("have a revision that never comes again, though the queue went and came back", async (d) => {
      const seen = new Set<number>();
      for (let life = 0; life < 3; life++) {
        for (const maxBacklog of [1, 2]) seen.add(okay(await configure(d, { maxBacklog })).config.revision);
        const last = await d.run({ verb: "delete-queue", ...on, limit: 100 });
        expect(last).toMatchObject({ existed: true });
        await d.pass(60_000);
        if (life === 1) await d.crash();
        expect((await d.describe()).config.revision).toBe(0);
      }
      expect(seen.size).toBe(6);
    });

    test("are changed once for a request id", async (d) => {
      const request = { namespace: "default", id: "r" };
      const to = { fairnessKeys: new Map([["k", { ratePerSecond: 1 }]]) };
      const operation = { verb: "configure" as const, ...on, fields: ["fairnessKeys" as const], to, request };
      const first = await d.run(operation);
      expect(await d.run(operation)).toEqual(first);
      expect((await d.describe()).config.revision).toBe(okay(first).config.revision);
    });

    test("keep the row of an empty queue, and let it go with them", async (d) => {
      await configure(d, { maxBacklog: 1 });
      await d.pass(60_000);
      const names = async () =>
        (await d.store.listTaskQueues("default", { namePrefix: "" }, { size: 10 })).items.map(
          ({ queue }) => queue.name,
        );
      expect(await names()).toEqual(["q"]);
      await d.run({
        verb: "configure",
        ...on,
        fields: ["maxBacklog"],
        to: { fairnessKeys: new Map() },
      });
      expect(await names()).toEqual([]);
      await d.pass(60_000);
      expect((await d.describe()).config.revision).toBe(0);
    });

    test("give tasks their defaults, and what a task says wins", async (d) => {
      const defaultRetryPolicy = {
        initialIntervalMs: 7,
        backoffCoefficient: 1,
        maximumIntervalMs: 7,
        maximumAttempts: 2,
        nonRetryableFailureTypes: ["X"],
        jitter: 0,
      };
      const defaults = {
        defaultStartToCloseMs: 4_000,
        defaultScheduleToStartMs: 5_000,
        defaultScheduleToCloseMs: 6_000,
      };
      await configure(d, { defaultRetryPolicy, ...defaults });
      const { retryPolicy: _, ...plain } = newPlain("a");
      await d.run({ verb: "add", tasks: [plain] });
      await d.add({ id: "b", timeouts: { startToCloseMs: 1, scheduleToStartMs: 0 } });
      expect(await d.task("a")).toMatchObject({
        retryPolicy: defaultRetryPolicy,
        timeouts: { startToCloseMs: 4_000, scheduleToStartMs: 5_000, scheduleToCloseMs: 6_000 },
      });
      expect((await d.task("b")).timeouts).toEqual({ startToCloseMs: 1, scheduleToCloseMs: 6_000 });
    });

    test("say how long closed tasks are kept", async (d) => {
      await configure(d, { completedRetentionMs: 0, deadRetentionMs: 5_000 });
      await d.add({ id: "a" }, { id: "b" }, { id: "c", retentionMs: 60_000 });
      const [a, b, c] = await d.claim();
      if (!a || !b || !c) throw new Error("three tasks were added");
      await d.complete(a);
      await d.fail(b, { type: "X", message: "", nonRetryable: true, encoded: new Uint8Array() });
      await d.complete(c);
      expect(await d.states("a", "b", "c")).toEqual(["gone", "failed", "completed"]);
      await d.pass(5_000);
      expect(await d.states("b", "c")).toEqual(["gone", "completed"]);
    });

    test("refuse adds beyond the maximum backlog, but no repeated ones and no internal ones", async (d) => {
      await configure(d, { maxBacklog: 2 });
      expect(await d.refusal({ id: "a" }, { id: "b" }, { id: "c" })).toEqual({
        reason: "max-backlog",
        index: 2,
        subject: "q",
      });
      expect(await d.state("a")).toBe("gone");
      await d.add({ id: "a" }, { id: "b" });
      expect(await d.add({ id: "a" })).toEqual([{ id: "a", run: 1, existed: true }]);
      expect(await d.refusal({ id: "c" })).toMatchObject({ reason: "max-backlog" });
      // Started ones are open, too; closed ones make room.
      const [task] = await d.claim({ slots: 1 });
      if (task === undefined) throw new Error("there was one");
      expect(await d.refusal({ id: "c" })).toMatchObject({ reason: "max-backlog" });
      await d.fail(task);
      await d.pass(10_000);
      expect(await d.state("a")).toBe("ready");
      await d.cancel(["a"]);
      await d.add({ id: "c" });
    });
  });

  chapter("pauses", harness, (test) => {
    test("stop dispatch, take adds, and end with a resume", async (d) => {
      const { pause } = okay(await d.run({ verb: "pause", ...on }));
      expect(pause).toEqual({ actor: "alice", reason: "a test", since: start });
      await d.add({ id: "a" });
      expect(await d.claimIds()).toEqual([]);
      expect(d.last?.claims).toEqual([{ dry: true }]);
      await d.crash();
      expect(await d.claimIds()).toEqual([]);
      expect((await d.describe()).pause).toEqual(pause);
      expect(await d.run({ verb: "resume", ...on })).toEqual({ verb: "resume", wasPaused: true, wasDraining: false });
      expect(d.last?.results).toHaveLength(1);
      expect(await d.claimIds()).toEqual(["a"]);
      expect((await d.describe()).pause).toBeUndefined();
    });

    test("end by themselves, at their time, and touch the queue", async (d) => {
      await d.add({ id: "a" });
      await d.run({ verb: "pause", ...on, until: start + 5_000 });
      expect(d.nextDue.promote).toBe(start + 5_000);
      d.now = start + 4_999;
      expect(await d.claimIds()).toEqual([]);
      d.now = start + 5_000;
      const touched: string[] = [];
      await d.commit([{ verb: "promote", limit: 10 }], (queues) => {
        touched.push(...[...queues.values()].map(({ name }) => name));
        return { offers: [], claims: [] };
      });
      expect(touched).toEqual(["q"]);
      expect((await d.describe()).pause).toBeUndefined();
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("are over at their time, noticed or not", async (d) => {
      await d.add({ id: "a" });
      await d.run({ verb: "pause", ...on, until: start + 5_000 });
      d.now = start + 5_000;
      expect(await d.claimIds()).toEqual(["a"]);
    });

    test("can be made longer, and keep their beginning", async (d) => {
      await d.run({ verb: "pause", ...on, until: start + 5_000 });
      d.now += 1_000;
      const { pause } = okay(await d.run({ verb: "pause", ...on, until: start + 9_000 }));
      expect(pause).toMatchObject({ since: start, until: start + 9_000 });
      await d.pass(6_000);
      expect((await d.describe()).pause).toMatchObject({ until: start + 9_000 });
      await d.pass(2_000);
      expect((await d.describe()).pause).toBeUndefined();
      await d.pass(60_000);
    });

    test("leave alone what is started", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.run({ verb: "pause", ...on });
      expect(await d.complete(task)).toEqual({ status: "accepted" });
    });
  });

  chapter("drains", harness, (test) => {
    test("refuse adds and go on with dispatch", async (d) => {
      await d.add({ id: "a" });
      const { drain } = okay(await d.run({ verb: "drain", ...on }));
      expect(drain).toEqual({ actor: "alice", reason: "a test", since: start });
      expect(await d.refusal({ id: "b" })).toEqual({ reason: "queue-draining", index: 0, subject: "q" });
      expect(await d.add({ id: "a" })).toEqual([{ id: "a", run: 1, existed: true }]);
      expect(await d.claimIds()).toEqual(["a"]);
      await d.crash();
      expect((await d.describe()).drain).toEqual(drain);
      expect(await d.run({ verb: "resume", ...on })).toMatchObject({ wasPaused: false, wasDraining: true });
      await d.add({ id: "b" });
    });

    test("never refuse a retry", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.run({ verb: "drain", ...on });
      await d.fail(task);
      await d.pass(10_000);
      expect(await d.claimIds()).toEqual(["a"]);
    });
  });

  chapter("settings of a namespace that does not exist", harness, (test) => {
    test("are refused", async (d) => {
      const queue = { ...activities, namespace: "nowhere" };
      const refused = { reason: "namespace-not-found", index: 0, subject: "nowhere" };
      for (const verb of ["pause", "resume", "drain"] as const) {
        expect(await d.run({ verb, queue, action })).toEqual({ verb, refused });
      }
    });
  });
}

function newPlain(id: string) {
  return {
    id,
    queue: activities,
    type: "t",
    input: new Uint8Array(),
    priority: 3 as const,
    fairnessKey: "",
    fairnessWeight: 1,
    startDelayMs: 0,
    timeouts: {},
    retryPolicy: undefined,
    idPolicy: "reject" as const,
  };
}

function okay<Result extends object>(result: Result): Exclude<Result, { readonly refused: unknown }> {
  if ("refused" in result) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result as Exclude<Result, { readonly refused: unknown }>;
}
