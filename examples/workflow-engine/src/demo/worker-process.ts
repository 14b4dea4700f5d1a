import { Context, Worker } from "@tq/worker-sdk";
import { fileActivities } from "./activities.ts";
import { runRole } from "./process.ts";
import { filesQueue, leaseMs } from "./workflows.ts";

const [, , address = "", folder = ""] = process.argv;
let worker: Worker | undefined;
let running: Promise<void> = Promise.resolve();
let latencies: number[] = [];
let timer: NodeJS.Timeout | undefined;

/** The same activities, each of which first notes how long its task waited. */
function measured<A extends object>(activities: A): A {
  const entries = Object.entries(activities) as [string, (...args: unknown[]) => unknown][];
  const wrapped = entries.map(([name, run]) => [
    name,
    (...args: unknown[]) => {
      const { attempt, addedAt, startedAt } = Context.current().info;
      if (attempt === 1 && addedAt && startedAt) latencies.push(startedAt.getTime() - addedAt.getTime());
      return run(...args);
    },
  ]);
  return Object.fromEntries(wrapped) as A;
}

await runRole({
  async start(tell) {
    const activities = measured(fileActivities(folder));
    worker = await Worker.create({
      address,
      taskQueue: filesQueue,
      activities,
      maxConcurrentActivityTaskExecutions: 16,
      lease: leaseMs,
    });
    const flush = () => {
      if (latencies.length > 0) tell({ kind: "latencies", ms: latencies });
      latencies = [];
    };
    timer = setInterval(flush, 50);
    running = worker.run().finally(flush);
    void running.catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exit(1);
    });
  },
  async stop() {
    worker?.shutdown();
    await running;
    clearInterval(timer);
  },
});
