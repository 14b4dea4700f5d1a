/* What the engine does because workers come, go, drain, or ask for a rate. */
import { afterEach, describe, expect, test } from "vitest";
import {
  delivery,
  pollCall,
  queue,
  ScriptedStore,
  settle,
  startEngine,
  StillClock,
  stopEngines,
  worker,
} from "../../test/scripted-store.ts";
import type { Engine } from "./engine.ts";

afterEach(stopEngines);

const empty = { kind: "answered", tasks: [], drainRequested: false };
const drain = {
  verb: "drain-worker",
  namespace: "default",
  workerId: "w",
  action: { actor: "", reason: "", call: "DrainWorker", request: "{}" },
} as const;

function renewal(noticesSeen = "", holdMs = 0): Parameters<Engine["renew"]>[0] {
  const { signal } = new AbortController();
  return {
    worker,
    queues: [],
    leases: [],
    heartbeats: [],
    receivedPollIds: [],
    heldUpPollIds: [],
    signal,
    noticesSeen,
    holdMs,
  };
}

async function begin(scripted = new ScriptedStore()) {
  const clock = new StillClock();
  const engine = await startEngine(scripted, clock);
  return { clock, scripted, engine, startedAt: clock.wallNow() };
}

type Begun = Awaited<ReturnType<typeof begin>>;

describe("waking", () => {
  test("a claim is tried again on the very ms that the store named", async () => {
    const { clock, scripted, engine, startedAt } = await begin();
    scripted.touches = false;
    scripted.claimsWaitUntil = startedAt + 1_237;
    void engine.poll(pollCall());
    await settle();
    scripted.planned.length = 0;
    await clock.advance(1_236);
    expect(scripted.planned).toEqual([]);
    scripted.claimsWaitUntil = undefined;
    await clock.advance(1);
    expect(scripted.planned.map(({ now, claims }) => [now - startedAt, claims.length])).toEqual([[1_237, 1]]);
  });

  test("what the store has to promote is promoted on the very ms", async () => {
    const scripted = new ScriptedStore();
    const clock = new StillClock();
    scripted.promoteAt = clock.wallNow() + 777;
    await startEngine(scripted, clock);
    scripted.onOperation = () => {
      scripted.promoteAt = undefined;
      return undefined;
    };
    await clock.advance(776);
    expect(scripted.commits).toEqual([]);
    await clock.advance(1);
    expect(scripted.operations("promote")).toHaveLength(1);
  });
});

describe("asked rates", () => {
  test("the smallest of the live workers' goes with each claim, until its worker is gone", async () => {
    const { clock, scripted, engine } = await begin();
    const ratesOf = () => scripted.planned.splice(0).flatMap(({ claims }) => claims.map(({ askedRate }) => askedRate));
    const poll = (workerId: string, askedRate?: number) => {
      const ofWorker = { ...worker, workerId };
      void engine.poll(pollCall({ worker: ofWorker, pollId: "", waitMs: 1_000, ...(askedRate && { askedRate }) }));
    };
    poll("a", 5);
    await settle();
    expect(ratesOf()).toEqual([5]);
    poll("b", 2);
    await settle();
    expect(new Set(ratesOf())).toEqual(new Set([2]));
    expect(engine.activityOf(queue).askedRate).toBe(2);
    await clock.advance(10_000);
    poll("a", 5);
    await clock.advance(10_000);
    ratesOf();
    poll("a", 5);
    await settle();
    expect(ratesOf()).toEqual([5]);
    await clock.advance(20_000);
    poll("c");
    await settle();
    expect(ratesOf().at(-1)).toBeUndefined();
    expect(engine.activityOf(queue)).not.toHaveProperty("askedRate");
  });

  test("a worker that asks for less is gone: those that wait are claimed for at once, at the other rate", async () => {
    const { clock, scripted, engine, startedAt } = await begin();
    scripted.touches = false;
    scripted.claimsWaitUntil = startedAt + 3_600_000;
    void engine.poll(
      pollCall({ pollId: "", askedRate: 0.001, worker: { ...worker, workerId: "slow" }, waitMs: 1_000 }),
    );
    void engine.poll(pollCall({ pollId: "", askedRate: 9, waitMs: 60_000 }));
    await settle();
    await clock.advance(10_000);
    scripted.planned.length = 0;
    await clock.advance(7_000);
    expect(scripted.planned.flatMap(({ claims }) => claims)).toMatchObject([{ askedRate: 9 }]);
  });
});

describe("a drained worker", () => {
  test("has its polls answered at once, and gets nothing new", async () => {
    const { scripted, engine } = await begin();
    const waiting = engine.poll(pollCall());
    await settle();
    await engine.drainWorker(drain);
    expect(await waiting).toEqual({ ...empty, statuses: [], registrationsWanted: false, drainRequested: true });
    scripted.ready = [{ id: "a", lease: { seq: 1, leaseNo: 1 }, queue } as never];
    const held = engine.poll(pollCall({ waitMs: 60_000, pollId: "held" }));
    expect(await Promise.race([held, settle().then(() => "holds")])).toBe("holds");
    expect(scripted.ready).toHaveLength(1);
    const other = { ...worker, workerId: "other" };
    expect(await engine.poll(pollCall({ worker: other }))).toMatchObject({
      drainRequested: false,
      tasks: [{ id: "a" }],
    });
  });

  test("is told once with an answer of its own, and then held like one that finds nothing, until it goes", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { drainedWorkers: [{ namespace: "default", workerId: "w" }] };
    const { clock, engine } = await begin(scripted);
    const poll = (pollId: string) => engine.poll(pollCall({ waitMs: 30_000, pollId }));
    expect(await poll("first")).toMatchObject({ tasks: [], drainRequested: true });
    let isAnswered = false;
    const second = poll("second").finally(() => (isAnswered = true));
    await settle();
    await clock.advance(29_900);
    expect(isAnswered).toBe(false);
    await clock.advance(200);
    expect(await second).toMatchObject({ tasks: [], drainRequested: true });
    const third = poll("third");
    await settle();
    engine.shutdownWorker("default", "w");
    expect(await third).toMatchObject({ tasks: [] });
    expect(engine.activityOf(queue).workers.map(({ freeSlots }) => freeSlots)).toEqual([0]);
  });

  test("is told in the renewal that it holds open", async () => {
    const { engine } = await begin();
    const { noticesSeen, drainRequested } = await engine.renew(renewal());
    expect(drainRequested).toBe(false);
    const held = engine.renew(renewal(noticesSeen, 30_000));
    await settle();
    await engine.drainWorker(drain);
    const told = await held;
    expect(told.drainRequested).toBe(true);
    // It has heard of it: the next one is held again.
    const next = engine.renew(renewal(told.noticesSeen, 30_000));
    expect(await Promise.race([next, settle().then(() => "holds")])).toBe("holds");
  });

  test("is drained as it makes itself known, if the store remembers it", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { drainedWorkers: [{ namespace: "default", workerId: "w" }] };
    const { engine } = await begin(scripted);
    expect(await engine.poll(pollCall())).toMatchObject({ tasks: [], drainRequested: true });
  });

  test("is not, where the store refused it", async () => {
    const { scripted, engine } = await begin();
    scripted.onOperation = ({ verb }) =>
      verb === "drain-worker" ? { verb, refused: { reason: "request-id-reused", index: 0, subject: "r" } } : undefined;
    expect(await engine.drainWorker(drain)).toHaveProperty("refused");
    expect(await engine.renew(renewal())).toMatchObject({ drainRequested: false });
  });
});

describe("live workers", () => {
  const answers = { verb: "answer", namespace: "default", answers: [] } as const;

  test("one lives while the store takes its time with the answers that its poll carries, and is gone 15 s later", async () => {
    const { clock, scripted, engine } = await begin();
    const gate = Promise.withResolvers<void>();
    scripted.stall = gate.promise;
    const poll = engine.poll(pollCall({ answers, waitMs: 1_000 }));
    await settle();
    await clock.advance(60_000);
    expect(engine.liveWorkers).toBe(1);
    gate.resolve();
    await settle();
    await clock.advance(2_000);
    await poll;
    expect(engine.workersOf("default", queue)).toEqual([engine.workerOf("default", "w")]);
    await clock.advance(16_000);
    expect([engine.liveWorkers, engine.workersOf("default", queue), engine.polledQueues("default")]).toEqual([
      0,
      [],
      [],
    ]);
  });

  test.each([
    [
      "answered empty",
      async ({ engine, clock }: Begun) => {
        const poll = engine.poll(pollCall({ waitMs: 1_000 }));
        await settle();
        await clock.advance(2_000);
        await poll;
      },
    ],
    [
      "answered with tasks",
      async ({ engine, scripted }: Begun) => {
        scripted.ready = [delivery(5)];
        await engine.poll(pollCall());
      },
    ],
    [
      "superseded",
      async ({ engine, clock }: Begun) => {
        const polls = [engine.poll(pollCall({ waitMs: 1_000 })), engine.poll(pollCall({ waitMs: 1_000 }))];
        await settle();
        await clock.advance(2_000);
        expect((await Promise.all(polls)).map(({ kind }) => kind)).toEqual(["superseded", "answered"]);
      },
    ],
    [
      "given up by its caller",
      async ({ engine }: Begun) => {
        const leaving = new AbortController();
        const poll = engine.poll(pollCall({ signal: leaving.signal }));
        await settle();
        leaving.abort();
        await poll;
      },
    ],
    [
      "refused for its answers",
      async ({ engine, scripted }: Begun) => {
        scripted.failing = true;
        await expect(engine.poll(pollCall({ answers }))).rejects.toMatchObject({ code: "unavailable" });
        scripted.failing = false;
      },
    ],
  ])("one is gone 15 s after a poll that was %s", async (_, end) => {
    const begun = await begin();
    const { clock, engine } = begun;
    await end(begun);
    expect(engine.liveWorkers).toBe(1);
    await clock.advance(15_200);
    expect([engine.liveWorkers, engine.polledQueues("default")]).toEqual([0, []]);
  });

  test("one that only renews is gone 15 s after its last call, though nothing else happens", async () => {
    const { clock, engine } = await begin();
    const { noticesSeen } = await engine.renew(renewal());
    const held = engine.renew(renewal(noticesSeen, 30_000));
    await clock.advance(30_000);
    await held;
    await clock.advance(14_900);
    expect(engine.liveWorkers).toBe(1);
    await clock.advance(200);
    expect(engine.liveWorkers).toBe(0);
  });

  test("one that polls a queue no more serves it for 15 s, and the others for as long as it names them", async () => {
    const { clock, scripted, engine } = await begin();
    const [other, third] = [
      { ...queue, name: "other" },
      { ...queue, name: "third" },
    ];
    const served = () => [queue, other, third].map((of) => engine.workersOf("default", of).length);
    await engine.poll(pollCall({ queues: [queue, other, third], waitMs: 0, pollId: "" }));
    scripted.onOperation = ({ verb }) =>
      verb === "renew" ? { verb, lost: [], cancels: [], queues: [third] } : undefined;
    const { noticesSeen } = await engine.renew(renewal());
    const held = engine.renew({ ...renewal(noticesSeen, 60_000), queues: [other] });
    await clock.advance(14_900);
    expect(served()).toEqual([1, 1, 1]);
    await clock.advance(200);
    expect(served()).toEqual([0, 1, 1]);
    // As long as the renewal is held, it serves those that it names, and those of its tasks.
    await clock.advance(30_000);
    expect(served()).toEqual([0, 1, 1]);
    await clock.advance(15_000);
    await held;
    await engine.renew(renewal());
    await clock.advance(14_000);
    expect(served()).toEqual([0, 1, 1]);
    await engine.renew({ ...renewal(), queues: [queue] });
    await clock.advance(1_200);
    expect(served()).toEqual([1, 0, 1]);
  });
});

describe("queues without a worker", () => {
  const fallenBack = (scripted: ScriptedStore) => scripted.operations("fall-back");

  test("fall back 10 s after the start", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { withFallback: [queue] };
    const { clock } = await begin(scripted);
    await clock.advance(9_999);
    expect(fallenBack(scripted)).toEqual([]);
    await clock.advance(101);
    expect(fallenBack(scripted)).toEqual([{ verb: "fall-back", queue, limit: 1_000 }]);
    await clock.advance(60_000);
    expect(fallenBack(scripted)).toHaveLength(1);
  });

  test("do not where a worker has come in time, and do 10 s after it has gone", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { withFallback: [queue] };
    const { clock, engine } = await begin(scripted);
    await clock.advance(9_000);
    void engine.poll(pollCall({ waitMs: 1_000 }));
    await settle();
    // It lives for 15 s after its poll has ended.
    await clock.advance(1_000 + 15_000 + 9_900);
    expect(fallenBack(scripted)).toEqual([]);
    // The end of the poll, of the worker and of the 10 s are each noticed up to 100 ms late.
    await clock.advance(600);
    expect(fallenBack(scripted)).toHaveLength(1);
  });

  test("have one in a worker from its first poll on, though its registrations still have to be asked for", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { withFallback: [queue] };
    const { clock, engine } = await begin(scripted);
    await clock.advance(9_000);
    const onlyHash = { ...worker, registrationsHash: "h", registrations: undefined };
    const reply = await engine.poll(pollCall({ worker: onlyHash as unknown as typeof worker }));
    expect(reply).toMatchObject({ tasks: [], registrationsWanted: true });
    expect(engine.activityOf(queue).workers.map(({ workerId }) => workerId)).toEqual(["w"]);
    // It lives for 15 s after this call.
    await clock.advance(14_900);
    expect(fallenBack(scripted)).toEqual([]);
  });

  test("count a worker that says that it is going as gone at once", async () => {
    const { clock, scripted, engine } = await begin();
    void engine.poll(pollCall());
    await clock.advance(20_000);
    engine.shutdownWorker("default", "w");
    await clock.advance(9_999);
    expect(fallenBack(scripted)).toEqual([]);
    await clock.advance(101);
    expect(fallenBack(scripted)).toHaveLength(1);
  });

  test("let what becomes ready later go at once", async () => {
    const { clock, scripted, engine } = await begin();
    await clock.advance(11_000);
    scripted.withFallback = [queue];
    await engine.renew(renewal());
    await clock.advance(101);
    expect(fallenBack(scripted)).toHaveLength(1);
  });

  test("go on while there is more, and share what one commit may move", async () => {
    const others = Array.from({ length: 150 }, (_, i) => ({ ...queue, name: `q${i}` }));
    const scripted = new ScriptedStore();
    scripted.opened = { withFallback: others };
    const left = new Map(others.map(({ name }) => [name, 2]));
    scripted.onOperation = (operation) => {
      if (operation.verb !== "fall-back") return undefined;
      const more = left.get(operation.queue.name)! - 1;
      left.set(operation.queue.name, more);
      return { verb: "fall-back", moved: 1, more: more > 0 };
    };
    const { clock } = await begin(scripted);
    await clock.advance(11_000);
    expect([...left.values()].every((count) => count === 0)).toBe(true);
    expect(fallenBack(scripted)).toHaveLength(300);
    for (const { operations } of scripted.commits) {
      const limits = operations.map((operation) => (operation.verb === "fall-back" ? operation.limit : 0));
      expect(limits.length).toBeLessThanOrEqual(100);
      expect(limits.reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(1_100);
    }
  });

  test("are tried again after a commit that failed", async () => {
    const scripted = new ScriptedStore();
    scripted.opened = { withFallback: [queue] };
    const { clock } = await begin(scripted);
    scripted.failing = true;
    await clock.advance(12_000);
    scripted.failing = false;
    scripted.commits.length = 0;
    await clock.advance(2_000);
    expect(fallenBack(scripted)).toHaveLength(1);
  });
});
