import { expect } from "vitest";
import type { BulkProgressRecord, ChangeTasksOperation, TaskChange } from "../operator-operations.ts";
import type { TaskFilter } from "../store.ts";
import { action, activities, failure, start, text, workflows, type Driver } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const other = { ...activities, name: "q2" };
const bad = failure("Bad", { nonRetryable: true });
const onClose = { queueName: "w", type: "closed" };

function operation(
  change: TaskChange,
  filter: TaskFilter,
  more: Partial<ChangeTasksOperation> = {},
): ChangeTasksOperation {
  return { verb: "change-tasks", namespace: "default", filter, change, dryRun: false, examine: 100, action, ...more };
}

/** A bulk call from its first chunk to its last. Answers what it came to, and in how many chunks. */
async function change(
  d: Driver,
  what: TaskChange,
  filter: TaskFilter,
  more: Partial<ChangeTasksOperation> = {},
): Promise<BulkProgressRecord & { readonly chunks: number }> {
  let next = operation(what, filter, more);
  for (let chunks = 1; ; chunks++) {
    const result = await d.run(next);
    if ("refused" in result) throw new Error(`refused: ${JSON.stringify(result.refused)}`);
    if (result.next === undefined) return { ...result.progress, chunks };
    next = { ...next, cursor: result.next };
  }
}

async function events(d: Driver) {
  const { items } = await d.store.listEvents("default", {}, { size: 100 });
  return items.map(({ action: { call }, changed, queue }) => ({ call, changed, queue }));
}

/** Bulk calls of operators. */
export function changes(harness: Harness): void {
  chapter("bulk changes", harness, (test) => {
    const silent: TaskChange = { kind: "purge", silent: true };

    test("work in chunks over what was there at the first", async (d) => {
      await d.add(...Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, type: i % 2 === 0 ? "even" : "odd" })));
      const first = await d.run(operation(silent, { types: ["even"] }, { examine: 4 }));
      if ("refused" in first || first.next === undefined) throw new Error("there is more");
      expect(first.progress).toEqual({ examined: 4, changed: 2, skipped: 0 });
      await d.add({ id: "new", type: "even" });
      const { next: cursor } = first;
      const second = await d.run(operation(silent, { types: ["even"] }, { examine: 4, cursor }));
      if ("refused" in second || second.next === undefined) throw new Error("there is more");
      const third = await d.run(operation(silent, { types: ["even"] }, { examine: 4, cursor: second.next }));
      expect(third).toEqual({ verb: "change-tasks", progress: { examined: 10, changed: 5, skipped: 0 } });
      expect(await d.claimIds()).toEqual(["1", "3", "5", "7", "9", "new"]);
    });

    test("end at their limit, and count what was not in a state for it", async (d) => {
      await d.add(...["a", "b", "c", "d"].map((id) => ({ id })));
      await d.claimOne();
      const moved = await change(d, { kind: "move", to: other }, {}, { limit: 2 });
      expect(moved).toEqual({ examined: 3, changed: 2, skipped: 1, chunks: 1 });
      expect(await d.claimIds()).toEqual(["d"]);
    });

    test("only count in a dry run", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const dry = await change(d, silent, {}, { dryRun: true, examine: 1, limit: 1 });
      expect(dry).toMatchObject({ examined: 1, changed: 1 });
      expect((await d.describe()).counts.ready).toBe(2);
      expect(await events(d)).toEqual([]);
    });

    test("find tasks by their ids, whatever else there is", async (d) => {
      await d.add(...Array.from({ length: 50 }, (_, i) => ({ id: `${i}` })));
      const ids = ["30", "7", "nobody", "30", "12"];
      const moved = await change(d, { kind: "move", to: other }, { ids }, { examine: 2 });
      expect(moved).toMatchObject({ examined: 3, changed: 3, chunks: 2 });
      expect(await d.claimIds({ queue: other })).toEqual(["7", "12", "30"]);
    });

    test("find by their ids only what was there at the first", async (d) => {
      await d.add({ id: "a" }, { id: "b", retentionMs: 0 });
      const there: TaskChange = { kind: "move", to: other };
      const first = await d.run(operation(there, { ids: ["a", "b"] }, { examine: 1 }));
      if ("refused" in first || first.next === undefined) throw new Error("there is more");
      await d.cancel(["b"]);
      await d.add({ id: "b" });
      const last = await d.run(operation(there, { ids: ["a", "b"] }, { examine: 1, cursor: first.next }));
      expect(last).toEqual({ verb: "change-tasks", progress: { examined: 1, changed: 1, skipped: 0 } });
      expect((await d.task("b")).queue).toEqual(activities);
    });

    test("look at no task of another namespace, and refuse one that does not exist", async (d) => {
      await d.run({ verb: "create-namespace", name: "elsewhere", description: "", action });
      await d.add({ id: "a" }, { id: "a2" });
      await d.add({ id: "a", queue: { ...activities, namespace: "elsewhere" } });
      expect(await change(d, silent, {}, { namespace: "elsewhere" })).toMatchObject({ examined: 1, changed: 1 });
      expect(await d.states("a", "a2")).toEqual(["ready", "ready"]);
      expect(await d.run(operation(silent, {}, { namespace: "nowhere" }))).toEqual({
        verb: "change-tasks",
        refused: { reason: "namespace-not-found", index: 0, subject: "nowhere" },
      });
    });

    test("repeated with a request id say what the first came to, and do nothing", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const request = { namespace: "default", id: "r" };
      const done = await change(d, silent, {}, { request, examine: 1 });
      await d.add({ id: "c" });
      expect(await d.run(operation(silent, {}, { request, examine: 1 }))).toEqual({
        verb: "change-tasks",
        progress: { examined: done.examined, changed: 2, skipped: 0 },
      });
      expect(await d.state("c")).toBe("ready");
      expect(await d.run(operation({ kind: "release" }, {}, { request }))).toMatchObject({
        refused: { reason: "request-id-reused", subject: "r" },
      });
      expect(await events(d)).toHaveLength(1);
    });

    test("that broke off with a request id go on where they were when repeated, with one limit and one event", async (d) => {
      await d.add(...["a", "b", "c", "d", "e"].map((id) => ({ id })));
      const request = { namespace: "default", id: "r" };
      const there: TaskChange = { kind: "move", to: other };
      const more = { request, limit: 3, examine: 1 };
      await d.run(operation(there, {}, more));
      await d.crash();
      await d.add({ id: "later" });
      expect(await change(d, there, {}, more)).toEqual({ examined: 3, changed: 3, skipped: 0, chunks: 2 });
      expect(await d.claimIds({ queue: other })).toEqual(["a", "b", "c"]);
      expect(await events(d)).toMatchObject([{ changed: 3 }]);
    });

    test("that are made twice at once with a request id do it once between them", async (d) => {
      await d.add(...["a", "b", "c", "d", "e", "f"].map((id) => ({ id })));
      const request = { namespace: "default", id: "r" };
      const call = operation({ kind: "move", to: other }, {}, { request, limit: 5, examine: 1 });
      const callers: ChangeTasksOperation[] = [call, call];
      const progress: BulkProgressRecord[] = [];
      for (let caller = callers.shift(); caller !== undefined; caller = callers.shift()) {
        const result = await d.run(caller);
        if ("refused" in result) throw new Error("refused");
        if (result.next === undefined) progress.push(result.progress);
        else callers.push({ ...call, cursor: result.next });
      }
      const done = { examined: 5, changed: 5, skipped: 0 };
      expect(progress).toEqual([done, done]);
      expect((await d.describe(other)).counts.ready).toBe(5);
      expect(await events(d)).toMatchObject([{ changed: 5 }]);
    });

    test("leave one event that is brought up to date, and none if nothing changed", async (d) => {
      await d.add({ id: "a" }, { id: "b" }, { id: "c" });
      await change(d, { kind: "redrive" }, {});
      expect(await events(d)).toEqual([]);
      await change(d, silent, { queueName: "q", queueKind: "activity" }, { examine: 1 });
      expect(await events(d)).toEqual([{ call: "Test", changed: 3, queue: activities }]);
      await change(d, silent, { queueName: "q" });
      expect(await events(d)).toEqual([
        { call: "Test", changed: 3, queue: undefined },
        { call: "Test", changed: 3, queue: activities },
      ]);
    });
  });

  chapter("a purge", harness, (test) => {
    test("closes open tasks as canceled, says by whom and why, and adds their on-close", async (d) => {
      await d.add(
        { id: "started", onClose },
        { id: "ready", onClose },
        { id: "delayed", startDelayMs: 1_000, onClose },
      );
      const task = await d.claimOne({ workerId: "w7" });
      expect(await change(d, { kind: "purge", silent: false }, { queueName: "q" })).toMatchObject({ changed: 3 });
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w7" }]);
      expect(d.last?.closed.map(({ id }) => id)).toEqual(["started", "ready", "delayed"]);
      for (const id of ["started", "ready", "delayed"]) {
        const { state, outcome } = await d.task(id);
        expect([state, outcome?.failure?.type]).toEqual(["canceled", "Canceled"]);
        expect(outcome?.failure?.message).toBe("purged by alice: a test");
      }
      expect(await d.complete(task)).toEqual({ status: "lease-lost" });
      expect(await d.claimIds({ queue: workflows })).toEqual([
        "started/closed/1",
        "ready/closed/1",
        "delayed/closed/1",
      ]);
    });

    test("is silent if told to be, and removes what is closed", async (d) => {
      await d.add({ id: "dead", onClose: { ...onClose, queueName: "elsewhere" } });
      await d.fail(await d.claimOne(), bad);
      await d.add({ id: "started", onClose });
      await d.claimOne();
      await d.add({ id: "open", onClose });
      expect(await change(d, { kind: "purge", silent: true }, { queueName: "q" })).toMatchObject({ changed: 3 });
      expect(await d.states("dead", "started", "open")).toEqual(["gone", "canceled", "canceled"]);
      expect((await d.describe()).counts.dead).toBe(0);
      expect(await d.claimIds({ queue: workflows })).toEqual([]);
    });

    test("empties a line from its head", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id, serialKey: "s" })), { id: "d", serialKey: "s", type: "kept" });
      expect(await change(d, { kind: "purge", silent: true }, { types: ["t"] }, { examine: 1 })).toMatchObject({
        changed: 3,
      });
      expect(await d.claimIds()).toEqual(["d"]);
    });
  });

  chapter("a move", harness, (test) => {
    const there: TaskChange = { kind: "move", to: other };

    test("takes waiting tasks to the tail of the other queue, in order of adding", async (d) => {
      await d.add({ id: "there", queue: other });
      await d.add({ id: "a" }, { id: "late", startDelayMs: 1_000 }, { id: "b", priority: 1 }, { id: "c" });
      expect(await change(d, there, { queueName: "q" }, { examine: 2 })).toMatchObject({ changed: 4, skipped: 0 });
      expect((await d.describe()).counts).toMatchObject({ ready: 0, scheduled: 0 });
      expect(await d.claimIds({ queue: other })).toEqual(["b", "there", "a", "c"]);
      expect((await d.task("late")).dueAt).toBe(start + 1_000);
      await d.pass(1_000);
      expect(await d.claimIds({ queue: other })).toEqual(["late"]);
      expect((await d.describe(other)).counts.started).toBe(5);
    });

    test("skips what is started, closed, there already or of another kind", async (d) => {
      await d.add({ id: "started" }, { id: "closed" }, { id: "there", queue: other }, { id: "flow", queue: workflows });
      const [, closed] = await d.claim();
      if (closed) await d.complete(closed);
      expect(await change(d, there, {})).toMatchObject({ changed: 0, skipped: 4 });
    });

    test("keeps the timeouts, which go on, and the fallback", async (d) => {
      const timeouts = { scheduleToStartMs: 2_000, scheduleToCloseMs: 9_000 };
      await d.add({ id: "a", timeouts, fallback: { queueName: "q3" } }, { id: "b", timeouts });
      d.now += 1_500;
      await change(d, there, {});
      expect([...(d.last?.withFallback.values() ?? [])]).toEqual([other]);
      expect(await d.task("a")).toMatchObject({ timeouts, fallback: { queueName: "q3" }, addedAt: start });
      expect((await d.pass(500)).timedOut).toBe(2);
      expect(await d.state("b")).toBe("timed-out");
      expect(await d.claimIds({ queue: { ...activities, name: "q3" } })).toEqual(["a"]);
    });

    test("takes a task out of its line and into the other", async (d) => {
      await d.add({ id: "busy", serialKey: "s", queue: other });
      await d.add({ id: "a", serialKey: "s" }, { id: "b", serialKey: "s", type: "stays" });
      await change(d, there, { types: ["t"], queueName: "q" });
      expect(await d.claimIds()).toEqual(["b"]);
      const busy = await d.claimOne({ queue: other });
      expect(busy.id).toBe("busy");
      await d.complete(busy);
      expect(await d.claimIds({ queue: other })).toEqual(["a"]);
    });

    test("of one that backs off gives its turn up", async (d) => {
      await d.add({ id: "a", serialKey: "s" }, { id: "b", serialKey: "s" });
      await d.fail(await d.claimOne());
      await change(d, there, { ids: ["a"] });
      expect(await d.claimIds()).toEqual(["b"]);
      await d.pass(1_000);
      expect(await d.claimOne({ queue: other })).toMatchObject({ id: "a", attempt: 2 });
    });
  });

  chapter("a redrive", harness, (test) => {
    test("opens dead tasks again: next run, attempts and timeouts anew, at the tail", async (d) => {
      await d.add({ id: "a", onClose, timeouts: { scheduleToCloseMs: 60_000 } });
      const first = await d.claimOne();
      await d.heartbeat(first, "half");
      await d.fail(first, failure("Boom", { nextRetryDelayMs: 0 }));
      await d.fail(await d.claimOne(), bad);
      await d.add({ id: "b" });
      d.now += 100_000;
      expect(await change(d, { kind: "redrive" }, {})).toMatchObject({ changed: 1, skipped: 2 });
      expect([...(d.last?.added.values() ?? [])]).toEqual([1]);
      expect(await d.task("a")).toMatchObject({ state: "ready", run: 2, attempt: 0, addedAt: start + 100_000 });
      expect((await d.task("a")).failedAttempts.map(({ failure: { type } }) => type)).toEqual(["Boom", "Bad"]);
      expect(await d.task("a")).not.toHaveProperty("outcome");
      expect(await d.claimIds({ slots: 1 })).toEqual(["b"]);
      const again = await d.claimOne();
      expect(again).toMatchObject({ id: "a", run: 2, attempt: 1, scheduleToCloseAt: start + 160_000 });
      expect(again).not.toHaveProperty("lastFailure");
      expect(again).not.toHaveProperty("heartbeatDetails");
      expect(text(again.input)).toBe("a");
      await d.fail(again, failure("Worse"));
      expect((await d.task("a")).failedAttempts.map(({ run }) => run)).toEqual([1, 1, 2]);
      await d.pass(1_000);
      expect((await d.claimOne()).lastFailure?.type).toBe("Worse");
      await d.cancel(["a"], true);
      expect(await d.claimIds({ queue: workflows })).toEqual(["a/closed/1", "a/closed/2"]);
    });

    test("takes no token of the last run", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      await d.fail(first, bad);
      await change(d, { kind: "redrive" }, {});
      expect(await d.complete(first)).toEqual({ status: "lease-lost" });
      await d.claimOne();
      expect(await d.complete(first)).toEqual({ status: "lease-lost" });
      expect(await d.state("a")).toBe("started");
    });

    test("joins the line for its serial key", async (d) => {
      await d.add({ id: "a", serialKey: "s" }, { id: "b", serialKey: "s" });
      await d.fail(await d.claimOne(), bad);
      await change(d, { kind: "redrive" }, {});
      expect(await d.claimIds()).toEqual(["b"]);
      expect((await d.task("a")).waitsForSerialKey).toBe(true);
    });

    test("does it once, however many chunks follow", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      for (const task of await d.claim()) await d.fail(task, bad);
      expect(await change(d, { kind: "redrive" }, {}, { examine: 1 })).toMatchObject({ examined: 2, changed: 2 });
      expect((await d.task("a")).run).toBe(2);
    });

    test("leaves what completed or was canceled", async (d) => {
      await d.add({ id: "done" }, { id: "canceled" });
      await d.complete(await d.claimOne());
      await d.cancel(["canceled"]);
      expect(await change(d, { kind: "redrive" }, {})).toMatchObject({ changed: 0, skipped: 2 });
    });
  });

  chapter("a release by an operator", harness, (test) => {
    test("takes started tasks from their workers, to their old places, without an attempt", async (d) => {
      await d.add(...["a", "b", "c"].map((id) => ({ id })));
      const [a, b] = await d.claim({ workerId: "w7", slots: 2 });
      if (!a || !b) throw new Error("nothing claimed");
      await d.heartbeat(a, "half");
      expect(await change(d, { kind: "release" }, { workerIds: ["w7"] })).toMatchObject({ changed: 2, skipped: 0 });
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w7" }]);
      expect(await d.complete(a)).toEqual({ status: "lease-lost" });
      expect(await d.release(b)).toEqual({ status: "lease-lost" });
      const again = await d.claim();
      expect(again.map(({ id, attempt }) => [id, attempt])).toEqual([
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ]);
    });

    test("closes what is to be canceled, and skips what is not started", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      await d.claimOne();
      await d.cancel(["a"]);
      expect(await change(d, { kind: "release" }, {})).toMatchObject({ changed: 1, skipped: 1 });
      expect((await d.task("a")).outcome?.failure).toMatchObject({ type: "Canceled", message: "not needed" });
    });
  });
}
