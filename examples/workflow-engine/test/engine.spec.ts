import { join } from "node:path";
import { TaskQueueKind } from "@tq/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine } from "../src/engine.ts";
import { readLog } from "../src/log.ts";
import type { Steps, Workflow } from "../src/workflow.ts";
import { EngineRig } from "./engine-rig.ts";
import { endsOf, sampleOrder, workflows } from "./shop.ts";

let rig: EngineRig;
beforeEach(async () => {
  rig = await EngineRig.create();
});
afterEach(() => rig.close());

const ends = async () => endsOf((await readLog(rig.file)).records);

describe("the engine", () => {
  it.each<[string, number | undefined]>([
    ["over a good connection", undefined],
    ["while the replies of twenty calls are lost", 20],
  ])("runs workflows to their ends, %s", async (_, times) => {
    const numbers = Array.from({ length: 20 }, (_each, number) => number);
    if (times !== undefined) rig.env.faults.loseReplies({ times, calls: ["PollTasks", "RespondTasks", "AddTasks"] });
    const engine = await rig.startEngine();
    await rig.openShop();
    await rig.startOrders(numbers);
    await rig.untilEnded(numbers.length);
    expect(engine.openCount).toBe(0);
    await rig.stop(engine);

    const expected = numbers.map(sampleOrder).map(({ id, receipt }) => ({ workflow: id, result: receipt }));
    const found = await ends();
    expect(found.length).toBe(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
    expect(new Set(rig.done).size).toBe(rig.done.length);
    expect(await rig.openIds()).toEqual([]);
  });

  it("goes on where the one before it stopped", async () => {
    const one = await rig.startEngine();
    await rig.env.skipUntil(rig.flows.start("greet", "w1", "Ann"));
    await rig.startOrders([2]);
    await rig.untilEnded(1);
    await rig.stop(one);

    const two = await rig.startEngine();
    expect(two.openCount).toBe(1);
    await rig.openShop();
    await rig.untilEnded(2);
    await rig.stop(two);
    const { id, receipt } = sampleOrder(2);
    expect(await ends()).toEqual([
      { workflow: "w1", result: "Hello Ann, says w1" },
      { workflow: id, result: receipt },
    ]);
  });

  it("answers what has ended, or happened, with nothing", async () => {
    const { flows, env } = rig;
    const engine = await rig.startEngine();
    await env.skipUntil(flows.start("greet", "w1", "Ann"));
    await env.skipUntil(flows.start("greet", "w1", "Bob"));
    await env.skipUntil(flows.signal("greet", "w1", "hello"));
    await env.skipUntil(flows.start("greet", "w2", "Cid"));
    await rig.untilEnded(2);
    await rig.stop(engine);
    expect((await readLog(rig.file)).records.length).toBe(2);
    expect(await rig.openIds()).toEqual([]);
  });

  it("fails a task for good that is no event, and leaves one of another type to an engine that has it", async () => {
    const engine = await rig.startEngine();
    const add = (id: string, serialKey: string, type: string, ...args: unknown[]) =>
      rig.env.skipUntil(rig.env.client.tasks.add({ id, taskQueue: "engine", kind: "workflow", type, serialKey, args }));
    await add("no-key", "", "greet");
    await add("no-event", "w1", "greet", { kind: "what" });
    await add("other-type", "w9", "nobody", { kind: "started", args: [] });
    await add("good", "w1", "greet", { kind: "started", args: ["Ann"] });
    await rig.untilEnded(1);
    await rig.stop(engine);
    expect(await rig.openIds()).toEqual(["other-type"]);
    expect(rig.troubles).toEqual([
      "task no-key (greet) failed: it has no serial key, which would be the workflow's id",
      "task no-event (greet) failed: its first argument is no event of a workflow",
    ]);
  });

  it("fails a task whose commands are refused, so that an operator sees why", async () => {
    const { client } = rig.env;
    // Somebody else's task has the id of the workflow's first command, and has closed.
    const taskQueue = { name: "else", kind: TaskQueueKind.ACTIVITY };
    await client.services.tasks.addTasks({ tasks: [{ id: "order-2/1", taskQueue, type: "x" }] });
    await client.services.tasks.cancelTasks({ ids: ["order-2/1"] });
    const engine = await rig.startEngine();
    await rig.startOrders([2]);
    await rig.env.sleep("1s");
    expect(rig.troubles[0]).toMatch(/^an answer failed: tq refused its commands: .*commands\[0\]/);
    const task = await rig.env.skipUntil(client.tasks.get("order-2/start"));
    expect(task.failedAttempts.at(-1)?.failure?.message).toMatch(/^tq refused its commands/);
    await rig.stop(engine);
  });

  it("writes nothing down that cannot be asked for, and goes on with code that can", async () => {
    const bad = {
      *order(wf: Workflow): Steps<void> {
        yield* wf.activities<Record<"pack", () => void>>({ taskQueue: "shop", startToCloseTimeout: -1 }).start("pack");
      },
    };
    const one = await rig.startEngine({ workflows: bad });
    await rig.startOrders([2]);
    await rig.env.sleep("1s");
    expect(rig.troubles[0]).toContain("startToCloseTimeout");
    await rig.stop(one);
    expect((await readLog(rig.file)).records).toEqual([]);
    await rig.startEngine();
    await rig.openShop();
    await rig.untilEnded(1);
  });

  it("commits its file once for each batch, however many tasks it has", async () => {
    const engine = await rig.startEngine();
    await Promise.all(Array.from({ length: 300 }, (_, i) => rig.flows.start("greet", `w${i}`, "Ann")));
    await rig.untilEnded(300);
    await rig.stop(engine);
    const { records, frames } = await readLog(rig.file);
    expect(records.length).toBe(300);
    expect(frames).toBeLessThan(10);
  });

  it("finds over 95 % of a thousand workflows ready for their next event, and replays the others", async () => {
    const numbers = Array.from({ length: 1_000 }, (_, number) => number);
    const engine = await rig.startEngine({ maxCachedRuns: 1_000 });
    await rig.openShop();
    await rig.startOrders(numbers);
    await rig.untilEnded(numbers.length);
    const { hits, misses } = engine.runCache;
    console.log(`1,000 workflows: ${hits} events of ${hits + misses} found their workflow ready`);
    expect(hits + misses).toBeGreaterThan(5_000);
    expect(hits / (hits + misses)).toBeGreaterThan(0.95);
    await rig.stop(engine);
  }, 60_000);

  it("runs workflows to their ends with room for one of them, by replaying", async () => {
    const engine = await rig.startEngine({ maxCachedRuns: 1 });
    await rig.openShop();
    await rig.startOrders([0, 1, 2, 3]);
    await rig.untilEnded(4);
    expect(engine.runCache.misses).toBeGreaterThan(4);
    await rig.stop(engine);
    expect(new Set(rig.done).size).toBe(rig.done.length);
  });

  it("ends if the server refuses it for good", async () => {
    const { Client } = await import("@tq/client");
    const { transport, clock } = rig.env;
    const client = Client.create({ transport, clock, namespace: "nobody-made-it" });
    const engine = await rig.startEngine({ client });
    await expect(rig.env.skipUntil(engine.ended())).rejects.toMatchObject({ code: "not_found" });
    await rig.stop(engine);
    await client.close();
  });

  it("does not start without its log", async () => {
    const { client } = rig.env;
    const engine = new Engine({ client, taskQueue: "engine", file: join(rig.file, "no", "such"), workflows });
    await expect(engine.start()).rejects.toThrow(/ENOENT|ENOTDIR/);
    await engine.stop();
  });
});
