import type { TaskQueue } from "@tq/matching-core";
import {
  StoreError,
  type Commit,
  type Committed,
  type DispatchedTask,
  type OperationResult,
  type Store,
} from "@tq/storage";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock, type Clock } from "../clock.ts";
import { Confirmations } from "./confirmations.ts";
import { Engine } from "./engine.ts";
import type { PollCall } from "./matching.ts";
import { News } from "./news.ts";

const queue: TaskQueue = { namespace: "default", name: "q", kind: "activity" };
const registrations = { activity: null, workflow: null };
const worker = { namespace: "default", workerId: "w", identity: "", buildId: "", registrationsHash: "", registrations };

/** A clock that a spec moves. */
class StillClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  wallNow = (): number => this.#now;
  monotonicNow = (): number => this.#now;
  soon = (callback: () => void): void => void setImmediate(callback);
  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  async advance(ms: number): Promise<void> {
    for (const until = this.#now + ms; this.#now < until;) {
      this.#now = Math.min(this.#now + 50, until);
      for (const timer of this.#timers) {
        if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
        timer.callback();
      }
      await settle();
    }
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A store of which a spec says what it has to give, what is leased, and whether it can write. */
class ScriptedStore {
  readonly commits: Commit[] = [];
  /** Leases that are ready to be granted. */
  ready: DispatchedTask[] = [];
  /** What a repeated poll is answered with. */
  leased: DispatchedTask[] = [];
  failing = false;
  /** Set: commits wait for it. */
  stall: Promise<void> | undefined;
  refusesAnswers = false;
  promoteAt: number | undefined;

  readonly store = {
    description: "scripted",
    open: async (now: number) => ({ lease: { shard: 0, epoch: 1 }, now, nextDue: this.#nextDue() }),
    close: async () => undefined,
    countLeased: async () => this.leased.length,
    getTasks: async (_: string, ids: readonly string[]) => ids.map((id) => ({ id })),
    commit: async (commit: Commit): Promise<Committed> => {
      this.commits.push(commit);
      await this.stall;
      if (this.failing) throw new StoreError("unavailable", "the disk is full");
      const results = commit.operations.map((operation): object => {
        if (operation.verb === "repoll") return { verb: "repoll", tasks: this.leased };
        if (operation.verb === "answer" && this.refusesAnswers) {
          return { verb: "answer", refused: { reason: "request-id-reused", index: 0, subject: "r" } };
        }
        return { verb: operation.verb, statuses: [], lost: [], cancels: [], returned: 0, promoted: 0 };
      });
      const plan = commit.plan(new Map([["default\u0000q\u0000activity", queue]]));
      const granted = plan.offers.map(({ slots }) => this.ready.splice(0, slots));
      return {
        now: commit.now,
        results: results as OperationResult[],
        claims: plan.claims.map(() => ({ dry: true })),
        granted,
        closed: [],
        notices: [],
        added: new Map(),
        nextDue: this.#nextDue(),
      };
    },
  } as unknown as Store;

  /** The leases that were given back, in commits that went through. */
  get returned(): readonly number[] {
    return this.commits.flatMap(({ operations }) =>
      operations.flatMap((operation) =>
        operation.verb === "return" ? operation.leases.map(({ leaseNo }) => leaseNo) : [],
      ),
    );
  }

  #nextDue(): object {
    return this.promoteAt === undefined ? {} : { promote: this.promoteAt };
  }
}

function task(leaseNo: number): DispatchedTask {
  return { id: "a", lease: { seq: 1, leaseNo }, queue } as unknown as DispatchedTask;
}

const engines: Engine[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map(async (engine) => engine.stop()));
});

async function start(scripted: ScriptedStore, clock: Clock = new StillClock()): Promise<Engine> {
  const engine = new Engine({
    store: scripted.store,
    clock,
    instanceId: "i",
    maxReplyBytes: 1_000_000,
    onFatal: (error) => {
      throw error;
    },
  });
  engines.push(engine);
  await engine.start();
  return engine;
}

function pollCall(more: Partial<PollCall> = {}): PollCall {
  return {
    worker,
    pollId: "p",
    queues: [queue],
    maxTasks: 1,
    leaseMs: 3_600_000,
    waitMs: 20_000,
    receivedPollIds: [],
    signal: new AbortController().signal,
    delivery: { onUndelivered: () => undefined },
    ...more,
  };
}

describe("the engine", () => {
  test("on the machine's own clock, a wait for tasks always ends", async () => {
    const engine = await start(new ScriptedStore(), systemClock);
    const { signal } = new AbortController();
    const waits = Array.from({ length: 40 }, async (_, i) =>
      engine.getTasks({ namespace: "default", ids: ["open"], waitMs: 5 + i / 7, waitFor: "all", signal }),
    );
    expect(await Promise.all(waits)).toHaveLength(40);
  });

  test("a poll whose answers were refused is given nothing", async () => {
    const scripted = new ScriptedStore();
    scripted.ready = [task(1)];
    scripted.refusesAnswers = true;
    const engine = await start(scripted);
    const reply = await engine.poll(pollCall({ answers: { verb: "answer", namespace: "default", answers: [] } }));
    expect(reply.kind).toBe("refused");
    expect(scripted.ready).toHaveLength(1);
  });

  test("of two repeats of one poll at once, one takes the other's place", async () => {
    const scripted = new ScriptedStore();
    scripted.leased = [task(5)];
    const engine = await start(scripted);
    const [first, second] = await Promise.all([engine.poll(pollCall()), engine.poll(pollCall())]);
    expect(first.kind).toBe("superseded");
    expect(second).toMatchObject({ kind: "answered", tasks: [{ id: "a" }] });
  });

  test("an answer that turns out not to have arrived gives nothing back once its poll was repeated", async () => {
    const scripted = new ScriptedStore();
    scripted.ready = [task(5)];
    const engine = await start(scripted);
    const lost: (() => void)[] = [];
    const delivery = { onUndelivered: (callback: () => void) => void lost.push(callback) };
    await engine.poll(pollCall({ delivery }));
    scripted.leased = [task(5)];
    await engine.poll(pollCall());
    lost[0]!();
    await settle();
    expect(scripted.returned).toEqual([]);
  });

  test("while the store cannot write, waiting polls still end in time", async () => {
    const clock = new StillClock();
    const scripted = new ScriptedStore();
    scripted.promoteAt = clock.wallNow() + 5_000;
    const engine = await start(scripted, clock);
    const waiting = engine.poll(pollCall());
    await settle();
    scripted.failing = true;
    await clock.advance(21_000);
    expect(await Promise.race([waiting, Promise.resolve("waits")])).toMatchObject({ kind: "answered", tasks: [] });
    // It tried about once a second, not all the time.
    expect(scripted.commits.length).toBeLessThan(40);
  });

  test("a delivery that was not confirmed goes back after an outage of the store", async () => {
    const clock = new StillClock();
    const scripted = new ScriptedStore();
    scripted.ready = [task(7)];
    const engine = await start(scripted, clock);
    await engine.poll(pollCall({ confirmWithinMs: 5_000 }));
    scripted.failing = true;
    await clock.advance(7_000);
    scripted.failing = false;
    scripted.commits.length = 0;
    await clock.advance(3_000);
    expect(scripted.returned).toEqual([7]);
  });

  test("a drain ends a renewal that is inside its commit when it begins", async () => {
    const clock = new StillClock();
    const scripted = new ScriptedStore();
    const engine = await start(scripted, clock);
    const renewal = { worker, leases: [], heartbeats: [], receivedPollIds: [], signal: new AbortController().signal };
    const { noticesSeen } = await engine.renew({ ...renewal, holdMs: 0, noticesSeen: "" });
    const gate = Promise.withResolvers<void>();
    scripted.stall = gate.promise;
    const held = engine.renew({ ...renewal, holdMs: 30_000, noticesSeen });
    await settle();
    const draining = engine.drain();
    gate.resolve();
    await draining;
    expect(await Promise.race([held, settle().then(() => "holds")])).toMatchObject({ noticesSeen });
  });
});

describe("confirmations", () => {
  test("a token of an earlier delivery confirms nothing", () => {
    const confirmations = new Confirmations();
    confirmations.expect("p", [{ seq: 1, leaseNo: 2 }], 1_000);
    confirmations.confirm([{ seq: 1, leaseNo: 1 }]);
    expect(confirmations.takeOverdue(1_000)).toEqual([{ seq: 1, leaseNo: 2 }]);
  });

  test("deliveries to polls without an id are each their own", () => {
    const confirmations = new Confirmations();
    confirmations.expect(undefined, [{ seq: 1, leaseNo: 1 }], 1_000);
    confirmations.expect(undefined, [{ seq: 2, leaseNo: 2 }], 1_000);
    expect(confirmations.takeOverdue(1_000)).toHaveLength(2);
  });
});

describe("news", () => {
  test("a worker that was forgotten and comes back has not seen what there is", () => {
    const news = new News("i");
    const seen = news.cursor("w");
    news.forget("w");
    expect(news.cursor("w")).not.toBe(seen);
  });
});
