import { expect, test } from "vitest";
import { startWorkerRig } from "./worker-rig.ts";

interface Activities {
  block(ms: number): Promise<string>;
  sleep(ms: number): Promise<string>;
}

const lease = "3s";
const blockMs = 7_500;

async function rig() {
  const { client, startWorker } = await startWorkerRig();
  const start = (taskQueue: string, renewalThread: boolean) => {
    const worker = startWorker({ taskQueue, lease, renewalThread });
    const activity = client.activity<Activities>({ taskQueue, startToCloseTimeout: "1 minute" });
    return { worker, activity };
  };
  return { start };
}

test(
  "a handler that blocks the event loop for longer than a lease keeps its lease and those of the others, thanks to the thread",
  { timeout: 60_000 },
  async () => {
    const { start } = await rig();
    const withThread = start("with-thread", true);
    const without = start("without-thread", false);
    // Of each, one sleeps as the event loop stops to turn.
    const handles = [];
    for (const { worker, activity } of [withThread, without]) {
      const sleeping = await activity.start("sleep", 5_000);
      await worker.until(() => worker.said.some(({ begun }) => begun === "sleep"));
      handles.push([sleeping, await activity.start("block", blockMs)]);
    }
    await withThread.worker.until(() => withThread.worker.errors.includes("The event loop is blocked"));
    expect(withThread.worker.errors).toMatch(/ handler=block taskId=\S+ at="block \(file:.*worker-program\.ts:\d+\)"/);
    // The worker polls no more: its polls were ended, and nobody hands it what it cannot read.
    const late = await withThread.activity.start("sleep", 10);

    const kept = handles[0] ?? [];
    expect(await Promise.all(kept.map(async (handle) => handle.result()))).toEqual(["slept", "blocked"]);
    const described = await Promise.all(kept.map(async (handle) => handle.describe()));
    expect(described.map((task) => [task?.attempt, task?.failedAttempts.length])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(await late.result()).toBe("slept");
    expect(withThread.worker.said.filter(({ begun }) => begun === "block").length).toBe(1);
    expect(withThread.worker.said.filter(({ begun }) => begun === "sleep").length).toBe(2);
    expect(withThread.worker.said.filter(({ message }) => String(message).includes("dropped"))).toEqual([]);
    // So that this test shows something: without the thread the lease was lost.
    const { worker } = without;
    await worker.until(() => worker.said.some(({ message }) => String(message).startsWith("An answer was dropped")));
    await withThread.worker.until(() =>
      withThread.worker.said.some(
        ({ message, handler }) => String(message).startsWith("A handler blocked the event loop") && handler === "block",
      ),
    );
    expect(await withThread.worker.end("SIGTERM")).toBe(0);
  },
);
