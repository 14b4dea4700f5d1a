/* What only this engine does: tasks in chunks, and deliveries of many tasks in one row. After each commit the file is checked. */
import type { DispatchedTask, Operation } from "@tq/storage";
import { activities, bytes, Driver, failure, newTask, text } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sqlite } from "../test/home.ts";
import { seeded } from "../test/seeded.ts";
import { settle } from "./testing/settle.ts";

const ids = (count: number, prefix = "a"): string[] => Array.from({ length: count }, (_, i) => `${prefix}${1_000 + i}`);
const forGood = { retentionMs: 0 };

let d: Driver;
beforeEach(async () => {
  d = await Driver.open(sqlite);
});
afterEach(async () => {
  await d.dispose();
});

/** How many rows a table has. */
function rows(
  table: "chunk" | "chunk_body" | "task" | "task_id" | "closing" | "kept" | "delivery" | "attempt_note",
): number {
  settle(d.store);
  const db = new Database(d.store.description.replace("sqlite ", ""), { readonly: true });
  try {
    return db.prepare<[], number>(`select count(*) from ${table}`).pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

/** How large the bodies of all chunks are. */
function bytesOfBodies(): number {
  settle(d.store);
  const db = new Database(d.store.description.replace("sqlite ", ""), { readonly: true });
  try {
    return db.prepare<[], number>("select sum(length(body)) from chunk_body").pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

async function add(count: number, task: object = forGood): Promise<string[]> {
  const added = ids(count);
  await d.add(...added.map((id) => ({ id, ...task })));
  return added;
}

describe("a chunk", () => {
  it("holds what was added together, and goes with the last of it", async () => {
    const added = await add(20);
    expect([rows("chunk"), rows("chunk_body"), rows("task")]).toEqual([1, 1, 0]);
    const tasks = await d.claim({ slots: 20 });
    expect(tasks.map(({ id }) => id)).toEqual(added);
    for (const task of tasks) await d.complete(task);
    expect([rows("chunk"), rows("chunk_body"), rows("delivery")]).toEqual([0, 0, 0]);
  });

  it("is not made for large inputs", async () => {
    await d.add({ id: "single" });
    await d.add({ id: "large", input: new Uint8Array(16_385) }, { id: "larger", input: new Uint8Array(100_000) });
    expect([rows("chunk"), rows("task")]).toEqual([1, 2]);
    expect((await d.claim()).map(({ input }) => input.length)).toEqual([6, 16_385, 100_000]);
  });

  it("is not made for tasks whose other payloads are large", async () => {
    await d.add(...ids(20).map((id) => ({ id, ...forGood, onClose: { queueName: "w", type: "closed" } })));
    const answers = (await d.claim()).map(({ lease }) => ({
      lease,
      kind: "completed" as const,
      commands: [],
      result: new Uint8Array(20_000),
    }));
    await d.answers(answers);
    expect([rows("chunk"), rows("task")]).toEqual([0, 20]);
    const fallback = { queueName: "other", input: new Uint8Array(9_000) };
    await d.add(...ids(30, "b").map((id) => ({ id, fallback })));
    // 14 of them are full.
    expect([rows("chunk"), rows("task")]).toEqual([3, 20]);
    expect(bytesOfBodies()).toBeLessThan(30 * 9_500);
  });

  it("is split where it would be too large", async () => {
    const added = await add(1_100);
    expect(rows("chunk")).toBe(3);
    await d.add(...ids(20, "b").map((id) => ({ id, input: new Uint8Array(16_000).fill(7) })));
    expect(rows("chunk")).toBe(6);
    await d.crash();
    expect(await d.claimIds({ slots: 1_100 })).toEqual(added);
    expect((await d.claim()).map(({ input }) => input.at(-1))).toEqual(Array.from({ length: 20 }, () => 7));
  });

  it("keeps what few tasks say beside what all do", async () => {
    const options = { headers: { a: "b" }, onClose: { queueName: "w", type: "closed" }, retentionMs: 5_000 };
    await d.add({ id: "plain" }, { id: "full", priority: 1, fairnessKey: "k", ...options }, { id: "last" });
    await d.crash();
    expect(rows("task")).toBe(0);
    expect(await d.task("full")).toMatchObject({ ...options, priority: 1, fairnessKey: "k", state: "ready" });
    expect((await d.claim()).map(({ id, headers }) => [id, headers])).toEqual([
      ["full", { a: "b" }],
      ["plain", undefined],
      ["last", undefined],
    ]);
  });

  it("gives a row to what it cannot say: a failure, a return, a move, a cancel that is kept", async () => {
    const [a = "", b = "", c = "", e = "", ...others] = await add(10);
    const [first, second] = await d.claim({ slots: 2 });
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    await d.fail(first);
    await d.release(second);
    expect(await d.cancel([c])).toEqual(["canceled"]);
    await d.run({
      verb: "change-tasks",
      namespace: "default",
      filter: { ids: [e] },
      change: { kind: "move", to: { namespace: "default", name: "elsewhere", kind: "activity" } },
      dryRun: false,
      examine: 10,
      action: { actor: "alice", reason: "", call: "Test", request: "{}" },
    });
    await d.crash();
    // Those behind them have moved up, which only a row can say.
    expect([rows("task"), rows("chunk")]).toEqual([3 + others.length, 0]);
    expect(await d.states(a, b, c, e)).toEqual(["scheduled", "ready", "gone", "ready"]);
    expect(await d.claimIds()).toEqual([b, ...others]);
  });

  it("is listed in order of adding, together with rows", async () => {
    await d.add({ id: "b1", serialKey: "s" }, { id: "b2" }, { id: "b3", startDelayMs: 5_000 }, { id: "b4" });
    await d.add({ id: "c" });
    await d.add({ id: "d1" }, { id: "d2" });
    const list = async (after?: string) =>
      d.store.listTasks("default", {}, { size: 3, examine: 100, maxBytes: 1e6, ...(after !== undefined && { after }) });
    const first = await list();
    const second = await list(first.next);
    const third = await list(second.next);
    expect([first, second, third].map(({ items }) => items.map(({ id }) => id))).toEqual([
      ["b1", "b2", "b3"],
      ["b4", "c", "d1"],
      ["d2"],
    ]);
  });

  it("of which little has been left for 10 s gives the rest rows, which stay where they were", async () => {
    const added = await add(40);
    const tasks = await d.claim({ slots: 32 });
    for (const task of tasks.slice(0, 31)) await d.complete(task);
    expect([rows("chunk"), d.nextDue.sweep]).toEqual([1, d.now + 10_000]);
    await d.pass(9_999);
    expect(rows("chunk")).toBe(1);
    await d.pass(1);
    expect([rows("chunk"), rows("chunk_body"), rows("task")]).toEqual([0, 0, 9]);
    await d.crash();
    expect(await d.claimIds({ slots: 10 })).toEqual(added.slice(32));
    const last = tasks.at(-1);
    expect(last && (await d.complete(last))).toEqual({ status: "accepted" });
  });
});

describe("chunks of which little is left", () => {
  it("are given up with as many rows in a commit as were asked for, about", async () => {
    for (const prefix of ["a", "b", "c"]) {
      await d.add(...ids(40, prefix).map((id) => ({ id, ...forGood })));
      await d.cancel(ids(40, prefix).slice(10));
    }
    d.now += 10_000;
    await d.run({ verb: "sweep", limit: 15 });
    expect([rows("chunk"), rows("task")]).toEqual([1, 20]);
    await d.run({ verb: "sweep", limit: 15 });
    expect([rows("chunk"), rows("task")]).toEqual([0, 30]);
  });
});

describe("chunks that are let go of and read again", () => {
  it("give their tasks rows, which stay where they were", async () => {
    // More than is held in memory, and each claim wants one task of each chunk.
    const keys = 320;
    const each = 8;
    const idOf = (key: number, i: number) => `k${1_000 + key}-${i}`;
    const tasks = Array.from({ length: keys * each }, (_, n) => {
      const [key, i] = [Math.floor(n / each), n % each];
      return { id: idOf(key, i), fairnessKey: `k${key}`, input: new Uint8Array(16_000).fill(key), ...forGood };
    });
    await d.add(...tasks);
    const before = rows("chunk");
    const rounds = [];
    for (let i = 0; i < 3; i++) rounds.push(await d.claim({ slots: keys }));
    for (const [i, round] of rounds.entries()) {
      expect(round.map(({ id }) => id)).toEqual(Array.from({ length: keys }, (_, key) => idOf(key, i)));
      expect(round.every(({ input }, key) => input.every((byte) => byte === key % 256))).toBe(true);
    }
    // What is left of them can be held.
    expect(rows("chunk")).toBeLessThan(before - 50);
    await d.crash();
    const answers = rounds.flat().map(({ lease }) => ({ lease, kind: "completed" as const, commands: [] }));
    expect((await d.answers(answers)).every(({ status }) => status === "accepted")).toBe(true);
    expect(await d.state(idOf(7, 2))).toBe("gone");
    expect(await d.claimIds({ slots: keys })).toEqual(Array.from({ length: keys }, (_, key) => idOf(key, 3)));
  });
});

describe("a delivery", () => {
  it("says after a crash what is started, whatever became of its other tasks", async () => {
    const added = await add(6, {});
    const tasks = await d.claim();
    const [completed, failed, released, canceled] = tasks;
    if (!completed || !failed || !released || !canceled) throw new Error("nothing was claimed");
    await d.complete(completed);
    await d.fail(failed, failure("Bad", { nonRetryable: true }));
    await d.release(released);
    await d.cancel([canceled.id]);
    expect(rows("delivery")).toBe(1);
    await d.crash();
    expect(await d.states(...added)).toEqual(["completed", "failed", "ready", "started", "started", "started"]);
    expect((await d.task(canceled.id)).started?.cancelRequested).toBe(true);
    for (const task of tasks.slice(3)) await d.complete(task);
    expect([rows("delivery"), rows("attempt_note")]).toEqual([0, 0]);
  });

  it("is a row for up to 128 tasks of an offer", async () => {
    await add(300);
    const offer = { pollId: "", leaseMs: 30_000, slots: 150, maxBytes: 1e9 };
    const { granted } = await d.commit([], () => ({
      offers: ["w1", "w2"].map((workerId) => ({ ...offer, workerId })),
      claims: [{ queue: activities, types: null, offers: [0, 1] }],
    }));
    expect(granted.map((tasks) => tasks.length)).toEqual([150, 150]);
    expect(rows("delivery")).toBe(4);
    await d.crash();
    expect(await d.store.startedByWorker("default")).toEqual(
      new Map([
        ["w1", 150],
        ["w2", 150],
      ]),
    );
  });
});

describe("ids", () => {
  it("are known to the chunk if they are in order, and each is found, taken and free again as elsewhere", async () => {
    const added = await add(20);
    expect(rows("task_id")).toBe(0);
    expect(await d.add({ id: "a1003" }, { id: "b" }, { id: "a0" })).toEqual([
      { id: "a1003", run: 1, existed: true },
      { id: "b", run: 1, existed: false },
      { id: "a0", run: 1, existed: false },
    ]);
    await d.crash();
    expect(await d.states("a1003", "a1019", "a1020", "b", "a10035")).toEqual([
      "ready",
      "ready",
      "gone",
      "ready",
      "gone",
    ]);
    for (const task of await d.claim()) await d.complete(task);
    expect(await d.states(...added)).toEqual(added.map(() => "gone"));
    expect(await d.add({ id: "a1003" })).toEqual([{ id: "a1003", run: 1, existed: false }]);
  });

  it("are in the index if they are not in order, or lie between those of another chunk", async () => {
    await d.add(
      ...ids(20)
        .reverse()
        .map((id) => ({ id })),
    );
    expect(rows("task_id")).toBe(20);
    const even = Array.from({ length: 20 }, (_, i) => ({ id: `b${2_000 + 2 * i}` }));
    const odd = Array.from({ length: 20 }, (_, i) => ({ id: `b${2_001 + 2 * i}` }));
    await d.add(...even);
    expect(rows("task_id")).toBe(20);
    await d.add(...odd);
    expect(rows("task_id")).toBe(40);
    await d.crash();
    expect((await d.add(...odd, ...even)).every(({ existed }) => existed)).toBe(true);
  });

  it.each([1, 2, 3])("are each the id of one task only, at random: seed %i", async (seed) => {
    const random = seeded(seed);
    const below = (n: number): number => Math.floor(random() * n);
    const open = new Set<string>();
    const held: DispatchedTask[] = [];
    for (let round = 0; round < 15; round++) {
      const from = below(300);
      const batch = Array.from({ length: 16 + below(24) }, (_, i) => `i${1_000 + from + i * (1 + (seed % 3))}`);
      if (below(3) === 0) batch.reverse();
      const added = await d.add(...batch.map((id) => ({ id, ...forGood })));
      expect(added.map(({ existed }) => existed)).toEqual(batch.map((id) => open.has(id)));
      for (const id of batch) open.add(id);
      const cancels = [...open].filter(() => below(12) === 0 && held.length < 400);
      const statuses = await d.cancel(cancels);
      for (const [i, id] of cancels.entries()) if (statuses[i] === "canceled") open.delete(id);
      held.push(...(await d.claim({ slots: below(60) })));
      for (const task of held.splice(0, below(held.length + 1))) {
        expect(await d.complete(task)).toEqual({ status: "accepted" });
        open.delete(task.id);
      }
      if (below(5) === 0) await d.pass(11_000);
      if (below(5) === 0) await d.crash();
      const states = await d.states(...Array.from({ length: 430 }, (_, i) => `i${1_000 + i}`));
      expect(states.filter((state) => state !== "gone").length).toBe(open.size);
      expect((await d.states(...open)).includes("gone")).toBe(false);
    }
  });
});

describe("a closing", () => {
  it("says how tasks of a chunk completed that are kept, until they go", async () => {
    const added = await add(20, {});
    const tasks = await d.claim();
    const answers = tasks.slice(0, 15).map(({ lease }, i) => ({
      lease,
      kind: "completed" as const,
      commands: [],
      ...(i % 2 === 0 && { result: bytes(`done ${i}`) }),
    }));
    const large = tasks.slice(15, 16).map(({ lease }) => ({
      lease,
      kind: "completed" as const,
      commands: [],
      result: new Uint8Array(3_000),
    }));
    await d.answers([...answers, ...large]);
    // The large result is in a row; the others take one row together.
    expect([rows("closing"), rows("task"), rows("chunk")]).toEqual([1, 1, 1]);
    await d.crash();
    expect(await d.states(...added.slice(13, 18))).toEqual([
      "completed",
      "completed",
      "completed",
      "started",
      "started",
    ]);
    expect(await d.task(added[2] ?? "")).toMatchObject({
      attempt: 1,
      outcome: { state: "completed", closedAt: d.now },
    });
    expect(text((await d.task(added[2] ?? "")).outcome?.result)).toBe("done 2");
    expect((await d.task(added[3] ?? "")).outcome?.result).toBeUndefined();
    // Repeated answers are told so, and the id is taken.
    expect((await d.answers(answers)).every(({ status }) => status === "already-answered")).toBe(true);
    expect(await d.refusal({ id: added[0] ?? "" })).toMatchObject({ reason: "task-id-taken" });
    await d.pass(3_600_000 - 1);
    expect(await d.state(added[0] ?? "")).toBe("completed");
    await d.pass(1);
    expect(await d.states(...added.slice(0, 16))).toEqual(added.slice(0, 16).map(() => "gone"));
    expect([rows("closing"), rows("kept")]).toEqual([0, 0]);
  });

  it("holds those that complete after the first of them went in the same commit", async () => {
    await add(20, {});
    const [first, second] = await d.claim({ slots: 2 });
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    const completes = ({ lease }: DispatchedTask): Operation => ({
      verb: "answer",
      namespace: "default",
      answers: [{ lease, kind: "completed", commands: [] }],
    });
    const again: Operation = { verb: "add", tasks: [newTask({ id: first.id, idPolicy: "allow" })] };
    await d.commit([completes(first), again, completes(second)]);
    await d.crash();
    expect(await d.states(first.id, second.id)).toEqual(["ready", "completed"]);
  });

  it("is swept in steps, and goes with a purge, or with an id that is given anew", async () => {
    const added = await add(10, { idPolicy: "allow" });
    const answers = (await d.claim()).map(({ lease }) => ({ lease, kind: "completed" as const, commands: [] }));
    await d.answers(answers);
    expect(await d.add({ id: added[0] ?? "", idPolicy: "allow" })).toMatchObject([{ run: 2, existed: false }]);
    await d.run({
      verb: "change-tasks",
      namespace: "default",
      filter: { ids: added.slice(1, 3) },
      change: { kind: "purge", silent: false },
      dryRun: false,
      examine: 10,
      action: { actor: "alice", reason: "", call: "Test", request: "{}" },
    });
    expect(
      (await d.store.listTasks("default", { states: ["completed"] }, { size: 20, examine: 99, maxBytes: 1e6 })).items,
    ).toHaveLength(7);
    d.now += 3_600_000;
    expect(await d.run({ verb: "sweep", limit: 4 })).toEqual({ verb: "sweep", removed: 4 });
    expect(rows("closing")).toBe(1);
    await d.crash();
    expect(await d.run({ verb: "sweep", limit: 4 })).toEqual({ verb: "sweep", removed: 3 });
    // The one that is left is that of the id that was given anew.
    expect([rows("closing"), rows("chunk")]).toEqual([0, 1]);
    expect(await d.state(added[0] ?? "")).toBe("ready");
  });

  it("gives its tasks rows where little is left of their chunk", async () => {
    const added = await add(20, {});
    const [first, second, ...others] = await d.claim();
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    await d.complete(first, { result: "done" });
    await d.complete(second);
    for (const task of others) await d.cancel([task.id], true);
    await d.pass(10_000);
    expect([rows("chunk"), rows("closing"), rows("kept")]).toEqual([0, 0, 20]);
    await d.crash();
    expect(text((await d.task(added[0] ?? "")).outcome?.result)).toBe("done");
    await d.pass(3_600_000);
    expect(rows("task")).toBe(0);
  });
});
