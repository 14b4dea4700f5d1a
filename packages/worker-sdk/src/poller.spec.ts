import { TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { Code, refusal } from "../test/fake-server.ts";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";

/** Activities that end when the test says so. */
function gated() {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const begun: string[] = [];
  const activities = {
    async work(name: string) {
      begun.push(name);
      const own = gate();
      gates.set(name, own);
      await own.promise;
    },
  };
  return { activities, begun, end: (name: string) => gates.get(name)!.resolve() };
}

test("a poll asks for exactly the free slots, and there is none while none is free", async () => {
  const { activities, begun, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 3 });
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([3]);
  server.add("a", "work", { args: ["a"] });
  server.add("b", "work", { args: ["b"] });
  await settle();
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([3, 1]);
  server.add("c", "work", { args: ["c"] });
  server.add("d", "work", { args: ["d"] });
  await settle();
  expect(begun).toEqual(["a", "b", "c"]);
  expect(server.polls.length).toBe(2);
  end("a");
  await settle();
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([3, 1, 1]);
  expect(begun).toEqual(["a", "b", "c", "d"]);
  for (const name of ["b", "c", "d"]) end(name);
});

test("a poll takes along the answers of its own slots, and offers those too", async () => {
  const { activities, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 2 });
  for (const id of ["a", "b", "c"]) server.add(id, "work", { args: [id] });
  await settle();
  end("a");
  end("b");
  await settle();
  expect(server.polls.at(-2)).toMatchObject({ maxTasks: 2, answers: [{}, {}] });
  expect(server.polls.at(-2)?.requestId).not.toBe("");
  expect(server.polls.at(-1)).toMatchObject({ maxTasks: 1, answers: [], requestId: "" });
  expect(server.answered("completed")).toBe("a b");
  expect(server.responds).toEqual([]);
  end("c");
});

test("while a poll waits, a second one takes answers along without waiting, and takes what there is for their slots", async () => {
  const { activities, end } = gated();
  const { clock, server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 2 });
  server.add("a", "work", { args: ["a"] });
  await settle();
  end("a");
  await settle();
  expect(server.polls.at(-1)).toMatchObject({ maxTasks: 1, answers: [{}], wait: { seconds: 0n, nanos: 0 } });
  expect(server.answered("completed")).toBe("a");
  expect(server.responds).toEqual([]);
  // Its slot is free, but not worth a call: the poll that waits ends with the next task.
  await clock.advance(1_000);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2, 1, 1]);
  server.add("b", "work", { args: ["b"] });
  server.add("c", "work", { args: ["c"] });
  await settle();
  expect([...server.leased.keys()]).toEqual(["b", "c"]);
  expect(server.polls.map(({ maxTasks }) => maxTasks)).toEqual([2, 1, 1, 1]);
  end("b");
  end("c");
});

test("of many slots two polls wait, one with two thirds and one with the rest; one that ends goes again while the other waits", async () => {
  const { activities, end } = gated();
  const { clock, server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 21 });
  await settle();
  const asked = () =>
    server.polls.map(({ maxTasks, answers, wait }) => [maxTasks, answers.length, Number(wait?.seconds)]);
  expect(asked()).toEqual([
    [14, 0, 60],
    [7, 0, 60],
  ]);
  server.add("a", "work", { args: ["a"] });
  await settle();
  expect(asked().slice(2)).toEqual([[13, 0, 60]]);
  server.add("b", "work", { args: ["b"] });
  await settle();
  expect([...server.leased.keys()]).toEqual(["a", "b"]);
  end("a");
  end("b");
  await clock.advance(2_000);
  expect(server.answered("completed")).toBe("a b");
});

test("two polls are under way at most, and together they never ask for more than there are slots", async () => {
  const { activities, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 6 });
  for (const id of ["a", "b", "c", "d", "e", "f"]) server.add(id, "work", { args: [id] });
  await settle();
  const letGo = server.hold("PollTasks");
  for (const id of ["a", "b", "c"]) {
    end(id);
    await settle();
  }
  expect(server.polls.slice(1).map(({ maxTasks, answers }) => [maxTasks, answers.length])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  // The third answer goes by itself, and its slot is offered by the next poll.
  expect(server.responds.length).toBe(1);
  letGo();
  for (const id of ["g", "h", "i", "j"]) server.add(id, "work", { args: [id] });
  await settle();
  expect(server.leased.size).toBe(6);
  for (const id of ["d", "e", "f", "g", "h", "i"]) end(id);
  await settle();
  end("j");
});

test("of many slots neither of two polls answers for more than two thirds, however many answers wait, so that a third is left for the other", async () => {
  const { activities, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 20 });
  const ids = Array.from({ length: 40 }, (_, n) => `t${n}`);
  for (const id of ids) server.add(id, "work", { args: [id] });
  await settle();
  expect(server.leased.size).toBe(20);
  const before = server.polls.length;
  for (const id of ids.slice(0, 20)) end(id);
  await settle();
  expect(server.polls.slice(before).map(({ maxTasks, answers }) => [maxTasks, answers.length])).toEqual([
    [14, 14],
    [6, 6],
  ]);
  expect(server.responds).toEqual([]);
  for (const id of ids.slice(20)) end(id);
  await settle();
});

test("of two replies that are there together, the first one's answers leave before the second one's tasks begin", async () => {
  const events: string[] = [];
  const { server } = await rig({
    activities: { work: async (name: string) => void events.push(`${name} begun`) },
    maxConcurrentActivityTaskExecutions: 16,
  });
  server.decide = (_answer, id) => void events.push(`${id.split("-")[0]} answered`);
  const replies = [gate(), gate()];
  let made = 0;
  server.beforeReply = async () => replies[made++]?.promise;
  for (let n = 0; n < 16; n++) {
    const name = n < 11 ? "first" : "second";
    server.add(`${name}-${n}`, "work", { args: [name] });
  }
  await settle();
  expect(server.leased.size).toBe(16);
  // One after the other in one turn of the event loop, like two sockets that have something to read.
  for (const reply of replies) setImmediate(() => reply.resolve());
  await settle();
  expect(events.filter((event, n) => event !== events[n - 1])).toEqual([
    "first begun",
    "first answered",
    "second begun",
    "second answered",
  ]);
  expect(server.polls.map(({ answers }) => answers.length)).toEqual([0, 0, 11, 5]);
});

test("a poll that is refused for its answers is made without them, and they go by themselves", async () => {
  const { activities, end } = gated();
  const { clock, server, worker } = await rig({ activities, maxConcurrentActivityTaskExecutions: 1 });
  for (const id of ["a", "b"]) server.add(id, "work", { args: [id] });
  await settle();
  server.failNext("PollTasks", refusal(Code.ResourceExhausted, "REQUEST_TOO_LARGE"));
  end("a");
  await clock.advance(100);
  expect(server.responds.length).toBe(1);
  expect([...server.leased.keys()]).toEqual(["b"]);
  expect(worker.getState()).toBe("RUNNING");
  end("b");
});

test("a server that knows nothing of answers with polls gets them by themselves, and no slot is offered twice", async () => {
  const { activities, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 1 });
  server.ignoresAnswersOfPolls = true;
  for (const id of ["a", "b", "c"]) server.add(id, "work", { args: [id] });
  await settle();
  end("a");
  await settle();
  // It was sent `b` for a slot that is not free yet.
  expect(server.answered("released")).toBe("b");
  expect(server.answered("completed")).toBe("a");
  expect([...server.leased.keys()]).toEqual(["c"]);
  end("c");
  await settle();
  expect(server.responds.flatMap(({ answers }) => answers).length).toBe(3);
});

test("a worker never holds more than it has slots for, whatever the server sends", async () => {
  const { activities, begun, end } = gated();
  const { server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 2 });
  server.isGenerous = true;
  for (const id of ["a", "b", "c", "d"]) server.add(id, "work", { args: [id] });
  await settle();
  expect(begun).toEqual(["a", "b"]);
  expect(server.answered("released")).toBe("c d");
  end("a");
  end("b");
});

test("activities and workflow tasks have slots and polls of their own", async () => {
  const { activities, end } = gated();
  const waiting = gate();
  const { server } = await rig({
    activities,
    workflows: { advance: () => waiting.promise },
    maxConcurrentActivityTaskExecutions: 2,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  expect(server.polls).toMatchObject([
    { maxTasks: 2, taskQueues: [{ name: "q", kind: TaskQueueKind.ACTIVITY }] },
    { maxTasks: 1, taskQueues: [{ name: "q", kind: TaskQueueKind.WORKFLOW }] },
  ]);
  server.add("w", "advance", { taskQueue: { name: "q", kind: TaskQueueKind.WORKFLOW } });
  server.add("a", "work", { args: ["a"] });
  await settle();
  expect(server.polls.length).toBe(3);
  expect(server.polls[2]).toMatchObject({ maxTasks: 1, taskQueues: [{ kind: TaskQueueKind.ACTIVITY }] });
  waiting.resolve();
  end("a");
});

test("a poll that broke is repeated with its id, to be answered soon; the next one has another", async () => {
  const { activities, begun, end } = gated();
  const { clock, server } = await rig({ activities, maxConcurrentActivityTaskExecutions: 5 });
  server.failNext("PollTasks", refusal(Code.Unavailable, "SHUTTING_DOWN"), 3);
  server.add("a", "work", { args: ["a"] });
  await clock.advance(650);
  server.add("b", "work", { args: ["b"] });
  await clock.advance(100);
  expect(begun).toEqual(["a", "b"]);
  const [first, broken, ...rest] = server.polls;
  const [, , brought, next] = rest;
  // The first was answered with `a`; the second broke three times, and then brought `b`.
  expect(server.polls.length).toBe(6);
  expect(new Set([first, broken, next].map((poll) => poll!.pollId)).size).toBe(3);
  for (const again of rest.slice(0, 3)) {
    expect(again).toMatchObject({
      ...broken,
      wait: { seconds: 1n },
      worker: { registrations: { activityTypes: ["work"] } },
    });
  }
  expect(brought?.maxTasks).toBe(4);
  expect(next).toMatchObject({ maxTasks: 3, wait: { seconds: 60n } });
  end("a");
  end("b");
});

test("polls that come back at once with nothing do not become a flood", async () => {
  const { clock, server } = await rig({ activities: { work: () => 1 }, maxConcurrentActivityTaskExecutions: 10 });
  server.isAbsentMinded = true;
  server.add("a", "work");
  await clock.advance(1_000);
  const before = server.polls.length;
  await clock.advance(1_000);
  expect(server.polls.length - before).toBe(10);
  server.isAbsentMinded = false;
});

test("a poll that another one replaced is followed by a new one", async () => {
  const { clock, server } = await rig({ activities: { work: () => 1 } });
  server.failNext("PollTasks", refusal(Code.Aborted, "POLL_SUPERSEDED"));
  server.add("a", "work");
  await clock.advance(100);
  const ids = server.polls.map(({ pollId }) => pollId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(server.answered("completed")).toBe("a");
});

test("registrations are sent in full until a call was answered, then as a hash, and again when asked for", async () => {
  const { clock, server } = await rig({
    activities: { b: () => 1, a: () => 2 },
    workflows: { w: () => {} },
    maxConcurrentActivityTaskExecutions: 10,
    maxConcurrentWorkflowTaskExecutions: 10,
  });
  const types = { activityTypes: ["a", "b"], workflowTypes: ["w"] };
  expect(server.polls.map(({ worker }) => worker?.registrations)).toMatchObject([types, types]);
  expect(server.polls[0]?.worker).toMatchObject({
    identity: "me",
    buildId: "",
    registrationsHash: expect.stringMatching(/^.{32}$/) as unknown,
  });
  await clock.advance(6_000);
  expect(server.renews.at(-1)?.worker?.registrations).toMatchObject(types);
  await clock.advance(5_000);
  expect(server.renews.at(-1)?.worker?.registrations).toBeUndefined();
  expect(server.renews.at(-1)?.worker?.registrationsHash).toBe(server.polls[0]?.worker?.registrationsHash);
  server.registrationsWanted = true;
  await clock.advance(5_000);
  server.registrationsWanted = false;
  await clock.advance(5_000);
  expect(server.renews.at(-1)?.worker?.registrations).toMatchObject(types);
});

test("a server that refuses the worker from the start ends it; one that does so later is waited for", async () => {
  const refused = refusal(Code.NotFound, "NAMESPACE_NOT_FOUND", "no namespace default");
  const later = await rig({ activities: { work: () => 1 } });
  later.server.add("a", "work");
  await later.clock.advance(1_500);
  later.server.failNext("PollTasks", refused, 3);
  later.server.add("b", "work");
  await later.clock.advance(5_000);
  expect(later.worker.getState()).toBe("RUNNING");
  expect(later.server.answered("completed")).toBe("a b");

  later.server.failNext("PollTasks", refused);
  const first = await rig({ activities: { work: () => 1 }, transport: later.server.transport });
  await first.clock.advance(1_000);
  await expect(first.run).rejects.toMatchObject({ code: "not_found", reason: "NAMESPACE_NOT_FOUND" });
  expect(first.worker.getState()).toBe("FAILED");
  expect(first.lines).toContainEqual(expect.objectContaining({ level: "error", error: "no namespace default" }));
});

test("a drained worker takes nothing new, finishes what it has, and takes tasks again when it is drained no longer", async () => {
  const { activities, begun, end } = gated();
  const { clock, server, worker } = await rig({ activities, maxConcurrentActivityTaskExecutions: 1 });
  server.add("a", "work", { args: ["a"] });
  await settle();
  server.drainRequested = true;
  await clock.advance(5_000);
  expect(worker.getState()).toBe("DRAINING");
  server.add("b", "work", { args: ["b"] });
  end("a");
  await clock.advance(1_000);
  expect(server.answered("completed")).toBe("a");
  expect(begun).toEqual(["a"]);
  server.drainRequested = false;
  await clock.advance(5_000);
  expect(worker.getState()).toBe("RUNNING");
  expect(begun).toEqual(["a", "b"]);
  end("b");
});
