import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { Worker as Thread } from "node:worker_threads";
import { Context, Worker } from "@tq/worker-sdk";
import { expect, onTestFinished, test, vi } from "vitest";
import { startWorkerRig } from "./worker-rig.ts";

/** The threads that this process begins, as it begins them. */
function threadsBegun(): readonly Thread[] {
  const threads: Thread[] = [];
  const onThread = (message: unknown) => void threads.push((message as { worker: Thread }).worker);
  subscribe("worker_threads", onThread);
  onTestFinished(() => void unsubscribe("worker_threads", onThread));
  return threads;
}

test(
  "one thread keeps the leases of all workers of a process, of each until it ends, and stays a while for the next one",
  { timeout: 90_000 },
  async () => {
    const threads = threadsBegun();
    const { server, client } = await startWorkerRig();
    const start = async (taskQueue: string) => {
      const worker = await Worker.create({
        address: `127.0.0.1:${server.port}`,
        taskQueue,
        // Long enough for a thread to begin on a busy machine.
        lease: "3s",
        shutdownGraceTime: "30s",
        activities: { sleep: async (ms: number) => Context.current().sleep(ms) },
      });
      const run = worker.run();
      onTestFinished(() => worker.shutdown());
      return { worker, run };
    };
    const add = (taskQueue: string) => client.tasks.add({ taskQueue, type: "sleep", args: [6_500] });
    /** Its lease would be over before it ends, were it not kept. */
    const kept = async (handle: Awaited<ReturnType<typeof add>>) => {
      await handle.result();
      return (await handle.describe())?.attempt;
    };

    const first = await start("first");
    const others = [await start("second"), await start("third")];
    expect(await Promise.all((await Promise.all(["first", "second", "third"].map(add))).map(kept))).toEqual([1, 1, 1]);
    expect(threads.length).toBe(1);

    for (const { worker } of others) worker.shutdown();
    await Promise.all(others.map(({ run }) => run));
    expect(await kept(await add("first"))).toBe(1);
    expect(threads.length).toBe(1);
    const [thread] = threads;
    if (thread === undefined) throw new Error("no thread has begun");

    first.worker.shutdown();
    await first.run;
    const next = await start("next");
    expect(await kept(await add("next"))).toBe(1);
    expect(threads.length).toBe(1);

    const timers = vi.spyOn(globalThis, "setTimeout");
    onTestFinished(() => timers.mockRestore());
    next.worker.shutdown();
    await next.run;
    const staying = timers.mock.calls.flatMap(([callback, ms]) => (ms === 10_000 ? [callback] : []));
    expect(staying).toHaveLength(1);
    const ended = once(thread, "exit");
    // The ten seconds are over.
    for (const end of staying) end();
    await ended;
    const last = await start("last");
    expect(await kept(await add("last"))).toBe(1);
    expect(threads.length).toBe(2);
    last.worker.shutdown();
    await last.run;
  },
);
