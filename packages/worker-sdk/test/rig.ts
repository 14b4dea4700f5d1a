import { afterEach, expect } from "vitest";
import { type LogFields, type Logger } from "../src/logger.ts";
import { Worker } from "../src/worker.ts";
import type { WorkerOptions } from "../src/worker-options.ts";
import { FakeServer } from "./fake-server.ts";
import { ManualClock, settle } from "./manual-clock.ts";

/** A line that a worker logged. */
export interface LogLine extends LogFields {
  level: keyof Logger;
  message: string;
}

/** A handler that ends when the test says so. */
export function gate<T = void>() {
  return Promise.withResolvers<T>();
}

const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** A worker on a server in memory, with a clock that the test moves. Stopped, and looked over for leaks, after the test. */
export async function rig(options: Partial<WorkerOptions> = {}) {
  const clock = new ManualClock();
  const server = new FakeServer(clock);
  const lines: LogLine[] = [];
  const log = (level: keyof Logger) => (fields: LogFields, message: string) =>
    void lines.push({ ...fields, level, message });
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  let ids = 0;
  const worker = await Worker.create({
    taskQueue: "q",
    transport: server.transport,
    clock,
    logger,
    newId: () => `id${++ids}`,
    random: () => 1,
    identity: "me",
    ...options,
  });
  const run = worker.run();
  let isSettled = false;
  run.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  running.push(async () => {
    server.heal();
    worker.shutdown();
    for (let turns = 0; !isSettled && turns < 100; turns++) await clock.advance(1_000);
    expect(isSettled).toBe(true);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });
  await settle();
  return { clock, server, worker, run, lines, isSettled: () => isSettled };
}
