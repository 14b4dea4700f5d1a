import { StoreError } from "@tq/storage";
import { afterEach, describe, expect, test } from "vitest";
import {
  delivery as task,
  pollCall,
  ScriptedStore,
  settle,
  startEngine as start,
  StillClock,
  stopEngines,
  worker,
} from "../../test/scripted-store.ts";
import { systemClock } from "../clock.ts";
import { Confirmations } from "./confirmations.ts";
import { ShuttingDown } from "./matching.ts";
import { News } from "./news.ts";

afterEach(stopEngines);

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

  test("a poll is given tasks in the commit that carries out its answers", async () => {
    const scripted = new ScriptedStore();
    scripted.ready = [task(1)];
    const engine = await start(scripted);
    const before = scripted.commits.length;
    const reply = await engine.poll(pollCall({ answers: { verb: "answer", namespace: "default", answers: [] } }));
    expect(reply).toMatchObject({ kind: "answered", tasks: [{ id: "a" }] });
    expect(scripted.commits.length - before).toBe(1);
  });

  test("a poll whose answers could not be written is given nothing, and leaves nobody waiting", async () => {
    const scripted = new ScriptedStore();
    scripted.ready = [task(1)];
    const engine = await start(scripted);
    scripted.failing = true;
    const answers = { verb: "answer", namespace: "default", answers: [] } as const;
    await expect(engine.poll(pollCall({ answers }))).rejects.toMatchObject({ code: "unavailable" });
    expect([engine.waitingPolls, scripted.ready.length]).toEqual([0, 1]);
    scripted.failing = false;
    expect(await engine.poll(pollCall({ answers }))).toMatchObject({ kind: "answered", tasks: [{ id: "a" }] });
  });

  test("nobody hears of a commit before it is on disk: neither who added nor who was given the task", async () => {
    const scripted = new ScriptedStore();
    const engine = await start(scripted);
    const heard: string[] = [];
    const poll = engine.poll(pollCall()).then(() => heard.push("poll"));
    await settle();
    const disk = Promise.withResolvers<void>();
    scripted.disk = disk.promise;
    scripted.ready = [task(5)];
    const add = engine.add({ verb: "add", tasks: [] }).then(() => heard.push("add"));
    await settle();
    expect([scripted.ready, heard]).toEqual([[], []]);
    disk.resolve();
    await Promise.all([poll, add]);
    expect(heard.toSorted()).toEqual(["add", "poll"]);
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

  test("while the store cannot write, a claim whose moment has come waits for the next try", async () => {
    const clock = new StillClock();
    const scripted = new ScriptedStore();
    scripted.claimsWaitUntil = clock.wallNow() + 1_000;
    const engine = await start(scripted, clock);
    void engine.poll(pollCall());
    await settle();
    scripted.failing = true;
    const { after } = clock;
    let timers = 0;
    clock.after = (delayMs, callback) => {
      timers += 1;
      return after(delayMs, callback);
    };
    await clock.advance(5_000);
    // A few for each try, about once a second; not one for each ms.
    expect(timers).toBeLessThan(40);
    scripted.failing = false;
    scripted.planned.length = 0;
    await clock.advance(1_000);
    expect(scripted.planned[0]?.claims).toHaveLength(1);
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

  test("a poll that says that another has arrived is answered once that is on disk, and refused if it cannot be", async () => {
    const scripted = new ScriptedStore();
    scripted.ready = [task(7)];
    const engine = await start(scripted);
    await engine.poll(pollCall({ confirmWithinMs: 5_000, pollId: "first" }));
    const gate = Promise.withResolvers<void>();
    scripted.stall = gate.promise;
    const next = engine.poll(pollCall({ waitMs: 0, pollId: "", receivedPollIds: ["first"] }));
    expect(await Promise.race([next, settle().then(() => "not yet")])).toBe("not yet");
    gate.resolve();
    expect(await next).toMatchObject({ kind: "answered", tasks: [] });
    expect(scripted.operations("confirm").flatMap(({ deliveries }) => deliveries)).toEqual([{ delivery: 7, left: [] }]);
    scripted.ready = [task(8)];
    await engine.poll(pollCall({ confirmWithinMs: 5_000, pollId: "second" }));
    scripted.failing = true;
    const refused = engine.poll(pollCall({ waitMs: 0, pollId: "", receivedPollIds: ["second"] }));
    await expect(refused).rejects.toBeInstanceOf(StoreError);
  });

  test("a drain ends a renewal that is inside its commit when it begins", async () => {
    const clock = new StillClock();
    const scripted = new ScriptedStore();
    const engine = await start(scripted, clock);
    const renewal = {
      worker,
      queues: [],
      leases: [],
      heartbeats: [],
      receivedPollIds: [],
      heldUpPollIds: [],
      signal: new AbortController().signal,
    };
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

describe("a backup", () => {
  test("ends as the server stops, and says so", async () => {
    const scripted = new ScriptedStore();
    const engine = await start(scripted);
    const goOn = Promise.withResolvers<void>();
    scripted.backup = async (onProgress) => {
      onProgress();
      await goOn.promise;
      onProgress();
    };
    let told = 0;
    const backup = engine.backup("/b", () => (told += 1));
    await settle();
    await engine.drain();
    goOn.resolve();
    await expect(backup).rejects.toBeInstanceOf(ShuttingDown);
    expect(told).toBe(1);
    await expect(engine.backup("/b", () => undefined)).rejects.toBeInstanceOf(ShuttingDown);
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

describe("what the store is told of confirmations", () => {
  const leases = [1, 2, 3].map((seq) => ({ seq, leaseNo: seq + 10 }));
  const told = (confirmations: Confirmations) => confirmations.takeToTell().flatMap(({ deliveries }) => deliveries);

  test("is what is left, as it is mentioned piece by piece, and once", () => {
    const confirmations = new Confirmations();
    confirmations.expect("p", leases, 1_000);
    expect(told(confirmations)).toEqual([]);
    confirmations.confirm(leases.slice(1, 2));
    expect(told(confirmations)).toEqual([{ delivery: 11, left: [leases[0], leases[2]] }]);
    confirmations.confirmPoll("p");
    expect([confirmations.isAheadOfStore, ...told(confirmations)]).toEqual([true, { delivery: 11, left: [] }]);
    expect([confirmations.isAheadOfStore, confirmations.nextWake()]).toEqual([false, undefined]);
  });

  test("is told again if the commit failed, but nothing older than what is known by now", () => {
    const confirmations = new Confirmations();
    confirmations.expect("p", leases, 1_000);
    confirmations.confirm(leases.slice(0, 1));
    const operations = confirmations.takeToTell();
    confirmations.putBack(operations);
    expect(told(confirmations)).toEqual([{ delivery: 11, left: leases.slice(1) }]);
    confirmations.confirm(leases.slice(1, 2));
    confirmations.putBack(operations);
    expect(told(confirmations)).toEqual([{ delivery: 11, left: leases.slice(2) }]);
  });

  test("is nothing of a poll that is repeated and begins with the same task: it is known anew", () => {
    const confirmations = new Confirmations();
    confirmations.expect("p", leases, 1_000);
    confirmations.expect("p", leases, 2_000);
    expect(told(confirmations)).toEqual([]);
    confirmations.expect("p", leases.slice(1), 3_000);
    expect(told(confirmations)).toEqual([{ delivery: 11, left: [] }]);
    expect(confirmations.takeOverdue(3_000)).toEqual(leases.slice(1));
  });

  test("is that nothing is left of what came back", () => {
    const confirmations = new Confirmations();
    const found = { delivery: 11, namespace: "default", workerId: "w", pollId: "p", confirmMs: 500, leases };
    confirmations.start([found], () => "p", 1_000);
    expect(confirmations.takeOverdue(1_499)).toEqual([]);
    expect(confirmations.takeOverdue(1_500)).toEqual(leases);
    expect(told(confirmations)).toEqual([{ delivery: 11, left: [] }]);
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
