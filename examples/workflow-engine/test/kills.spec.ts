import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@tq/client";
import { Worker } from "@tq/worker-sdk";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Cast } from "../src/demo/cast.ts";
import { Child } from "../src/demo/child.ts";
import { countTasks } from "../src/demo/figures.ts";
import { freePort } from "../src/demo/free-port.ts";
import type { HistoryRecord } from "../src/history.ts";
import { readLog } from "../src/log.ts";
import { WorkflowClient } from "../src/workflow-client.ts";
import { endsOf, sampleOrder, shopActivities, type workflows } from "./shop.ts";

const seed = Number(process.env["SEED"] ?? 20_260_101);
const kills = Number(process.env["KILLS"] ?? 6);
const numbers = Array.from({ length: Number(process.env["ORDERS"] ?? 40) }, (_, number) => number);

let folder: string;
let clean: (() => Promise<unknown>)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tq-kills-"));
  clean = [() => rm(folder, { recursive: true })];
});
afterEach(async () => {
  for (const each of clean.toReversed()) await each();
});

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it(`ends every workflow once, with the right result, though engine and server are killed (SEED=${seed})`, async () => {
  const random = randomOf(seed);
  const messages = { onMessage: () => {}, onLost: () => {} };
  const cast = new Cast({ folder, workFolder: folder, port: await freePort(), ...messages });
  clean.push(() => cast.killAll());
  const server = await cast.startServer();
  const client = Client.create({ address: cast.address });
  clean.push(() => client.close());

  const done: string[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: console.error };
  const worker = await Worker.create({
    client,
    taskQueue: "shop",
    activities: shopActivities(done),
    lease: "2s",
    logger,
  });
  const working = worker.run();
  clean.push(() => (worker.shutdown(), working));

  const flows = new WorkflowClient<typeof workflows>(client, "engine");
  const starting = Promise.all(
    numbers.map(sampleOrder).map(async ({ id, order, isApproved }) => {
      await flows.start("order", id, order);
      if (isApproved) await flows.signal("order", id, "approved", "alice");
    }),
  );

  const file = join(folder, "engine.log");
  const main = fileURLToPath(new URL("engine-main.ts", import.meta.url));
  const startEngine = (dieAfter: number, phase: string) => {
    const args = [main, cast.address, file, String(dieAfter), phase];
    const lost = Promise.withResolvers<string>();
    const engine = new Child({
      name: "engine",
      args,
      logFolder: folder,
      onMessage: () => {},
      onLost: (child) => lost.resolve(child.ending),
    });
    return { engine, lost: lost.promise };
  };
  for (let kill = 1; kill <= kills; kill++) {
    // An order takes eight tasks; so none of the kills comes after everything has been done.
    const tasks = 1 + Math.floor((random() * 5 * numbers.length) / kills);
    const { lost } = startEngine(tasks, random() < 0.7 ? "before" : "after");
    expect(await lost).toBe("was ended by SIGKILL");
    if (kill === Math.ceil(kills / 2)) {
      await cast.kill(server);
      await cast.startServer();
    }
  }
  const { engine } = startEngine(0, "never");
  clean.push(() => engine.kill());
  await starting;
  await expect.poll(() => endedCount(file), { timeout: 30_000, interval: 100 }).toBe(numbers.length);
  await expect.poll(() => openTasks(client), { timeout: 10_000 }).toEqual([]);
  expect(await engine.stop(8_000)).toBe(true);

  const { records } = await readLog(file);
  const byId = (a: { workflow: string }, b: { workflow: string }) => a.workflow.localeCompare(b.workflow);
  const expected = numbers.map(sampleOrder).map(({ id, receipt }) => ({ workflow: id, result: receipt }));
  expect(endsOf(records).toSorted(byId)).toEqual(expected.toSorted(byId));
  // No event was taken in twice, and nothing that a workflow asked for was done as two tasks.
  const events = (records as HistoryRecord[]).map(({ task }) => task);
  expect(new Set(events).size).toBe(events.length);
  expect(new Set(done).size).toBe(numbers.length * 3);
  const { tasks, redeliveries } = await countTasks(client);
  console.log(`${kills} kills of the engine, 1 of the server: ${tasks} tasks, ${redeliveries} redeliveries or retries`);
}, 60_000);

/** Workflows that have ended, as the log says. */
async function endedCount(file: string): Promise<number> {
  const { records } = await readLog(file);
  return new Set(endsOf(records).map(({ workflow }) => workflow)).size;
}

async function openTasks(client: Client): Promise<string[]> {
  const open: string[] = [];
  for await (const task of client.tasks.list({ states: ["READY", "SCHEDULED", "STARTED"] }, { pageSize: 1_000 })) {
    open.push(task.id);
  }
  return open;
}
