// A worker in a process of its own: `node worker-program.ts '<WorkerOptions as JSON>'`. What it logs and does goes to stdout, a
// JSON object a line. See worker-process.ts.

import { Context, type LogFields, shutdownOnSignals, threadActivity, Worker, type WorkerOptions } from "@tq/worker-sdk";

const options = JSON.parse(process.argv[2] ?? "{}") as WorkerOptions;
const say = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = (level: string) => (fields: LogFields, message: string) => say({ level, message, ...fields });

const activities = {
  /** Keeps the event loop from turning, without using the processor that others need. */
  async block(ms: number): Promise<string> {
    say({ begun: "block" });
    // So that the next poll is under way by then.
    await Context.current().sleep(500);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    return "blocked";
  },
  async sleep(ms: number): Promise<string> {
    say({ begun: "sleep" });
    await Context.current().sleep(ms);
    return "slept";
  },
  spin: threadActivity(new URL("../../worker-sdk/test/thread-handlers.ts", import.meta.url), { export: "spin" }),
};

const worker = await Worker.create({
  activities,
  logger: { debug: () => undefined, info: log("info"), warn: log("warn"), error: log("error") },
  ...options,
});
shutdownOnSignals(worker);
await worker.run();
say({ left: process.getActiveResourcesInfo() });
