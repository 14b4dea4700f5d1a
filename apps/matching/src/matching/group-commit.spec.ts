import {
  StoreError,
  type ClosedNotice,
  type Commit,
  type Committed,
  type Operation,
  type OperationResult,
  type Store,
} from "@tq/storage";
import { describe, expect, test, vi } from "vitest";
import { ServerTime, type Clock } from "../clock.ts";
import { GroupCommit, type CommitParticipant } from "./group-commit.ts";

const clock: Clock = {
  wallNow: () => 1_000,
  monotonicNow: () => 0,
  after: () => () => undefined,
  soon: (callback) => void setImmediate(callback),
};

/** A store that answers each operation with its verb, and calls `during` inside every commit. */
function fakeStore(during: (commit: Commit) => void | Promise<void> = () => undefined) {
  const commits: Commit[] = [];
  const commit = async (commit: Commit): Promise<Committed> => {
    commits.push(commit);
    await during(commit);
    const results = commit.operations.map(({ verb }) => ({ verb, promoted: 0 })) as OperationResult[];
    commit.plan(new Map(), results);
    return {
      durable: Promise.resolve(),
      now: commit.now,
      results,
      claims: [],
      granted: [],
      closed: [],
      notices: [],
      added: new Map(),
      touched: new Map(),
      withFallback: new Map(),
      nextDue: {},
    };
  };
  return { commits, store: { commit } as unknown as Store };
}

function participant(more: Partial<CommitParticipant> = {}): CommitParticipant {
  return {
    timedOperations: () => [],
    plan: () => ({ offers: [], claims: [] }),
    committed: () => undefined,
    isAwaited: () => false,
    failed: () => undefined,
    claimsFailed: () => undefined,
    wantsClaim: false,
    storeLost: () => undefined,
    ...more,
  };
}

function make(store: Store, of: CommitParticipant = participant()): GroupCommit {
  return new GroupCommit(store, { shard: 0, epoch: 1 }, clock, new ServerTime(clock), of);
}

const promote: Operation = { verb: "promote", limit: 1 };

describe("group commit", () => {
  test("what arrives together goes into one commit", async () => {
    const { commits, store } = fakeStore();
    const group = make(store);
    await Promise.all([group.submit(promote), group.submit(promote), group.submit(promote)]);
    expect(commits.map(({ operations }) => operations.length)).toEqual([3]);
  });

  test("a commit can wait for the disk if nobody waits for any of it", async () => {
    const closed = [{ namespace: "default", id: "a" }] as unknown as ClosedNotice[];
    let isAwaited = false;
    let timed: Operation[] = [];
    const { commits, store } = fakeStore();
    const of = participant({ isAwaited: () => isAwaited, timedOperations: () => timed });
    const group = make(store, of);
    const canWait = (): boolean | undefined => commits.at(-1)?.canWait?.(closed);
    await group.submit(promote, undefined, false);
    expect(canWait()).toBe(true);
    // Somebody waits for a task to close.
    isAwaited = true;
    expect(canWait()).toBe(false);
    isAwaited = false;
    await Promise.all([group.submit(promote, undefined, false), group.submit(promote)]);
    expect(canWait()).toBe(false);
    timed = [{ verb: "confirm", deliveries: [] }];
    await group.submit(promote, undefined, false);
    expect(canWait()).toBe(true);
    timed = [promote];
    await group.submit(promote, undefined, false);
    expect(canWait()).toBe(false);
  });

  test("what arrives while a commit is under way goes into the next one", async () => {
    const later: Promise<unknown>[] = [];
    const { commits, store } = fakeStore(() => {
      if (commits.length === 1) later.push(group.submit(promote), group.submit(promote));
    });
    const group = make(store);
    await group.submit(promote);
    await Promise.all(later);
    expect(commits.map(({ operations }) => operations.length)).toEqual([1, 2]);
  });

  test("a commit holds as many operations as name few tasks, and fewer that name many", async () => {
    const { commits, store } = fakeStore();
    const group = make(store);
    const submitAll = async (count: number, limit: number): Promise<void> => {
      const operation: Operation = { verb: "promote", limit };
      await Promise.all(Array.from({ length: count }, async () => group.submit(operation)));
    };
    await submitAll(1_000, 1);
    await submitAll(100, 100);
    await submitAll(2, 10_000);
    expect(commits.map(({ operations }) => operations.length)).toEqual([400, 400, 200, 64, 36, 1, 1]);
  });

  test("who waits for tasks is answered before those whose operations were committed", async () => {
    const order: string[] = [];
    const granted = Promise.withResolvers<void>();
    const group = make(fakeStore().store, participant({ committed: () => granted.resolve() }));
    const poll = async (): Promise<void> => {
      await granted.promise;
      // However many steps there are from here to its answer.
      for (let step = 0; step < 20; step++) await Promise.resolve();
      order.push("poll");
    };
    await Promise.all([poll(), group.submit(promote).then(() => order.push("operation"))]);
    expect(order).toEqual(["poll", "operation"]);
  });

  test("an operation is answered only after its commit", async () => {
    const finish = Promise.withResolvers<void>();
    const group = make(fakeStore(async () => finish.promise).store);
    let answered = false;
    const submitted = group.submit(promote).then(() => (answered = true));
    await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    expect(answered).toBe(false);
    finish.resolve();
    expect(await submitted).toBe(true);
  });

  test("the next commit begins while the last is on its way to the disk; each is answered once it is there", async () => {
    const disk = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { commits, store } = fakeStore();
    const commit: Store["commit"] = async (asked) => ({
      ...(await store.commit(asked)),
      durable: disk[commits.length - 1]!.promise,
    });
    const group = make({ commit } as unknown as Store);
    const answered: string[] = [];
    const turn = async () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    const first = group.submit(promote).then(() => answered.push("first"));
    await turn();
    const second = group.submit(promote).then(() => answered.push("second"));
    await turn();
    expect([commits.length, answered]).toEqual([2, []]);
    const durable = group.durable?.then(() => answered.push("all"));
    disk[0]!.resolve();
    await first;
    await turn();
    expect(answered).toEqual(["first"]);
    disk[1]!.resolve();
    await Promise.all([second, durable]);
    expect(answered).toContain("second");
    expect(answered).toContain("all");
    expect(group.durable).toBeUndefined();
  });

  test("a disk that fails fails what waits for it, and is reported", async () => {
    const { store } = fakeStore();
    const lost = new StoreError("lost", "EIO");
    const failing = Promise.reject<void>(lost);
    failing.catch(() => undefined);
    const commit: Store["commit"] = async (asked) => ({ ...(await store.commit(asked)), durable: failing });
    const storeLost = vi.fn<(error: StoreError) => void>();
    const group = make({ commit } as unknown as Store, participant({ storeLost }));
    await expect(group.submit(promote)).rejects.toBe(lost);
    expect(storeLost).toHaveBeenCalledExactlyOnceWith(lost);
    expect(group.lastError).toBe("EIO");
    await group.stop();
  });

  test("stop waits for the disk", async () => {
    const disk = Promise.withResolvers<void>();
    const { store } = fakeStore();
    const commit: Store["commit"] = async (asked) => ({ ...(await store.commit(asked)), durable: disk.promise });
    const group = make({ commit } as unknown as Store);
    const submitted = group.submit(promote);
    let isStopped = false;
    const stopping = group.stop().then(() => (isStopped = true));
    await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    expect(isStopped).toBe(false);
    disk.resolve();
    await stopping;
    await submitted;
  });

  test("an operation that makes the commit throw fails alone", async () => {
    const poison: Operation = { verb: "sweep", limit: 0 };
    const { store } = fakeStore(({ operations }) => {
      if (operations.includes(poison)) throw new Error("a defect");
    });
    const group = make(store);
    const [first, bad, last] = await Promise.allSettled([
      group.submit(promote),
      group.submit(poison),
      group.submit(promote),
    ]);
    expect([first.status, bad.status, last.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("where the store cannot write, everything in the commit is refused, and the next one is tried", async () => {
    let full = true;
    const { store } = fakeStore(() => {
      if (full) throw new StoreError("unavailable", "the disk is full");
    });
    const group = make(store);
    await expect(group.submit(promote)).rejects.toMatchObject({ code: "unavailable" });
    expect(group.lastError).toBe("the disk is full");
    full = false;
    await expect(group.submit(promote)).resolves.toMatchObject({ verb: "promote" });
    expect(group.lastError).toBe("");
  });

  test("a timed operation that throws fails alone, and is given back", async () => {
    const sweep: Operation = { verb: "sweep", limit: 0 };
    const { store } = fakeStore(({ operations }) => {
      if (operations.includes(sweep)) throw new Error("a defect");
    });
    const failed = vi.fn<(timed: readonly Operation[]) => void>();
    const group = make(store, participant({ timedOperations: () => [sweep], failed }));
    await expect(group.submit(promote)).resolves.toMatchObject({ verb: "promote" });
    expect(failed).toHaveBeenCalledWith([sweep]);
    expect(group.lastError).toBe("a defect");
  });

  test("claims that throw fail no operation", async () => {
    const claimsFailed = vi.fn<() => void>();
    const plan = (): never => {
      throw new Error("a defect");
    };
    const group = make(fakeStore().store, participant({ plan, claimsFailed }));
    await expect(group.submit(promote)).resolves.toMatchObject({ verb: "promote" });
    expect(claimsFailed).toHaveBeenCalledOnce();
  });

  test("after a refusal it tries by itself only when a second has passed, and then once", async () => {
    const timers: (() => void)[] = [];
    const manual: Clock = {
      ...clock,
      after: (_, callback) => (timers.push(callback), () => timers.splice(timers.indexOf(callback), 1)),
    };
    const { commits, store } = fakeStore(() => {
      throw new StoreError("unavailable", "the disk is full");
    });
    const group = new GroupCommit(store, { shard: 0, epoch: 1 }, manual, new ServerTime(manual), participant());
    await expect(group.submit(promote)).rejects.toThrow("the disk is full");
    await expect(group.submit(promote)).rejects.toThrow("the disk is full");
    expect(timers).toHaveLength(1);
    group.wake();
    await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    expect(commits).toHaveLength(2);
    timers.pop()!();
    await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    expect(commits).toHaveLength(3);
  });

  test("the loss of the shard is reported", async () => {
    const storeLost = vi.fn<(error: StoreError) => void>();
    const { store } = fakeStore(() => {
      throw new StoreError("shard-lost", "gone");
    });
    await expect(make(store, participant({ storeLost })).submit(promote)).rejects.toMatchObject({ code: "shard-lost" });
    expect(storeLost).toHaveBeenCalledOnce();
  });

  test("stop carries out what was submitted, and nothing after it", async () => {
    const { commits, store } = fakeStore();
    const group = make(store);
    const submitted = group.submit(promote);
    await group.stop();
    await submitted;
    group.wake();
    await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
    expect(commits).toHaveLength(1);
  });
});
