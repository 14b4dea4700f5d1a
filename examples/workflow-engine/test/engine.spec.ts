import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { Client, decodePayload, encodePayload } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine, type EngineOptions } from "../src/engine.ts";
import { readLog } from "../src/log.ts";
import { WorkflowClient } from "../src/workflow-client.ts";
import { FakeTq } from "./fake-tq.ts";
import { type Faults, fakeTransport } from "./fake-transport.ts";
import { endsOf, sampleOrder, shop, workflows } from "./shop.ts";

const taskQueue = "engine";
let folder: string;
let file: string;
let clean: (() => Promise<void>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tq-engine-"));
  file = join(folder, "engine.log");
  clean = [() => rm(folder, { recursive: true })];
});
afterEach(async () => {
  for (const each of clean.toReversed()) await each();
});

function connect(tq: FakeTq, faults: Faults = {}) {
  const { transport, polls } = fakeTransport(tq, faults);
  const client = Client.create({ transport, retry: { initialInterval: 1 } });
  clean.push(() => client.close());
  return { client, polls, flows: new WorkflowClient<typeof workflows>(client, taskQueue) };
}

/** An engine that runs until a number of workflows have ended, or the test is over. */
async function startEngine(client: Client, untilEnded: number, options: Partial<EngineOptions> = {}) {
  const ends = Promise.withResolvers<void>();
  let count = 0;
  const troubles: string[] = [];
  const engine = new Engine({
    client,
    taskQueue,
    file,
    workflows,
    onEnd: () => ++count === untilEnded && ends.resolve(),
    onTrouble: (text) => troubles.push(text),
    ...options,
  });
  await engine.start();
  return { engine, troubles, ends: ends.promise };
}

/** Does what the shop's workers do, whenever there is something to do. */
function workShop(tq: FakeTq): void {
  let isOver = false;
  const held = new Map<string, Uint8Array>();
  const turn = () => {
    for (const task of tq.poll(TaskQueueKind.ACTIVITY, "shop", 100)) {
      const { token } = task;
      const done = shop(task.type, task.input.map(decodePayload), task.attempt);
      if (done === undefined) held.set(task.id, token);
      else if ("result" in done) {
        tq.answer({ token, answer: { case: "completed", value: { result: encodePayload(done.result) } } });
      } else {
        const failure = { type: done.failure, message: "not today" };
        tq.answer({ token, answer: { case: "failed", value: { failure } } });
      }
    }
    for (const [id, token] of held) {
      if (!tq.isCancelRequested(id)) continue;
      held.delete(id);
      tq.answer({ token, answer: { case: "canceled", value: {} } });
    }
    if (!isOver) setImmediate(turn);
  };
  turn();
  clean.push(async () => {
    isOver = true;
  });
}

async function startOrders(flows: WorkflowClient<typeof workflows>, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    const { id, order, isApproved } = sampleOrder(number);
    await flows.start("order", id, order);
    if (isApproved) await flows.signal("order", id, "approved", "alice");
  }
}

describe("the engine", () => {
  it.each<[string, Faults]>([
    ["over a good connection", {}],
    ["while every third poll's answer is lost", { losePoll: 3 }],
  ])("runs workflows to their ends, %s", async (_, faults) => {
    const tq = new FakeTq();
    const { client, flows } = connect(tq, faults);
    const numbers = Array.from({ length: 20 }, (_each, number) => number);
    const { engine, ends } = await startEngine(client, numbers.length);
    workShop(tq);
    await startOrders(flows, numbers);
    await ends;
    expect(engine.openCount).toBe(0);
    await engine.stop();

    const found = endsOf((await readLog(file)).records);
    const expected = numbers.map(sampleOrder).map(({ id, receipt }) => ({ workflow: id, result: receipt }));
    expect(found.length).toBe(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
  });

  it("goes on where the one before it stopped", async () => {
    const tq = new FakeTq();
    const { client, flows } = connect(tq);
    const one = await startEngine(client, 1);
    await flows.start("greet", "w1", "Ann");
    await startOrders(flows, [2]);
    await one.ends;
    await one.engine.stop();

    const two = await startEngine(client, 1);
    expect(two.engine.openCount).toBe(1);
    workShop(tq);
    await two.ends;
    await two.engine.stop();
    expect(endsOf((await readLog(file)).records)).toEqual([
      { workflow: "w1", result: "Hello Ann, says w1" },
      { workflow: sampleOrder(2).id, result: sampleOrder(2).receipt },
    ]);
  });

  it("answers what has ended, or happened, with nothing", async () => {
    const tq = new FakeTq();
    const { client, flows } = connect(tq);
    const { engine, ends } = await startEngine(client, 2);
    await flows.start("greet", "w1", "Ann");
    await flows.start("greet", "w1", "Bob");
    await flows.signal("greet", "w1", "hello");
    await flows.start("greet", "w2", "Cid");
    await ends;
    await engine.stop();
    expect((await readLog(file)).records.length).toBe(2);
    expect(tq.openIds).toEqual([]);
  });

  it("fails a task for good that is no event, and one that it may come to know for now", async () => {
    const tq = new FakeTq();
    const { client } = connect(tq);
    const { engine, troubles, ends } = await startEngine(client, 1);
    const add = (id: string, serialKey: string, type: string, ...args: unknown[]) =>
      client.tasks.add({ id, taskQueue, kind: "workflow", type, serialKey, args });
    await add("no-key", "", "greet");
    await add("no-event", "w1", "greet", { kind: "what" });
    await add("other-type", "w9", "nobody", { kind: "started", args: [] });
    await add("good", "w1", "greet", { kind: "started", args: ["Ann"] });
    await ends;
    await engine.stop();
    expect(tq.openIds).toEqual(["other-type"]);
    expect(troubles.slice(0, 3)).toEqual([
      "task no-key (greet) failed: it has no serial key, which would be the workflow's id",
      "task no-event (greet) failed: its first argument is no event of a workflow",
      'task other-type (nobody) failed: no workflow "nobody" is registered with this engine',
    ]);
  });

  it("fails a task whose commands are refused, so that an operator sees why", async () => {
    const tq = new FakeTq();
    const { client, flows } = connect(tq);
    // Somebody else's task has the id of the workflow's first command.
    tq.add({ id: "order-2/1", taskQueue: { name: "else", kind: TaskQueueKind.ACTIVITY }, type: "x" });
    const [theirs] = tq.poll(TaskQueueKind.ACTIVITY, "else", 1);
    tq.answer({ token: theirs!.token, answer: { case: "completed", value: {} } });
    const { engine, troubles } = await startEngine(client, 1);
    await startOrders(flows, [2]);
    await expect.poll(() => troubles[0]).toBe("an answer failed: tq refused its commands: commands[0] ");
    await engine.stop();
  });

  it("sends its types in full with each poll, and answers with the next", async () => {
    const tq = new FakeTq();
    const { client, flows, polls } = connect(tq);
    const { engine, ends } = await startEngine(client, 1, { pollers: 1 });
    await flows.start("greet", "w1", "Ann");
    await ends;
    await engine.stop();
    expect(polls.map(({ answers }) => answers.length)).toEqual([0, 1]);
    for (const { worker } of polls) expect(worker?.registrations?.workflowTypes).toEqual(["greet", "order"]);
  });

  it("polls again after any error but one that will never pass", async () => {
    const { client } = connect(new FakeTq(), { refusals: [Code.Unavailable, Code.Internal, Code.NotFound] });
    const { engine, troubles } = await startEngine(client, 1, { pollers: 1 });
    await expect(engine.ended()).rejects.toMatchObject({ code: "not_found" });
    expect(troubles.length).toBe(1);
    await engine.stop();
  });

  it("does not start without its log", async () => {
    const { client } = connect(new FakeTq());
    const engine = new Engine({ client, taskQueue, file: join(folder, "no", "such"), workflows });
    await expect(engine.start()).rejects.toThrow("ENOENT");
    await engine.stop();
  });
});
