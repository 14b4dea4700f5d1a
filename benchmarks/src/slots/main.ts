/*
 * How busy one worker keeps its slots: pnpm bench:slots; --help says what it takes.
 * The server is a process of its own, over a real port, with fsync; the tasks are there before the worker begins.
 */
import { Client } from "@tq/client";
import { Worker } from "@tq/worker-sdk";
import { commandLine, numberOf } from "../command-line.ts";
import { startTq, tqDurability } from "../contenders/tq.ts";
import { benchFolder } from "../machine/bench-folder.ts";
import { usageOf } from "../machine/process-usage.ts";
import { BusyShare } from "./busy-share.ts";

const usage = `usage: pnpm bench:slots [OPTION...]
How busy one worker keeps its slots: tasks that are there before it begins, over a real port, with fsync.

  --tasks N         tasks of each length (default 100000)
  --slots N         slots of the worker (default 100)
  --ms A,B,...      how long a task takes, in ms (default 10,1)
  --profile FOLDER  writes a CPU profile of the server there`;

const { tasks, slots, lengths, profile } = commandLine(
  usage,
  {
    tasks: { type: "string", default: "100000" },
    slots: { type: "string", default: "100" },
    ms: { type: "string", default: "10,1" },
    profile: { type: "string" },
  },
  (values) => ({
    tasks: numberOf("--tasks", values.tasks, { least: 1, isWhole: true }),
    slots: numberOf("--slots", values.slots, { least: 1, isWhole: true }),
    lengths: values.ms.split(",").map((text) => numberOf("--ms", text)),
    profile: values.profile,
  }),
);
/** Tasks that are added by one call. */
const batch = 1_000;
/** What is asked of tasks of 10 ms. */
const asked = { taskMs: 10, share: 0.95 };

console.log(`durability: ${tqDurability}`);
let isShort = false;
for (const taskMs of lengths) {
  const { running, held, mostHeld, perSecond, lateMs, workerUs, serverUs } = await measure(taskMs);
  console.log(
    [
      `tasks of ${taskMs} ms`.padEnd(16),
      `tasks fill ${percent(held)} of the slots (never over ${mostHeld})`,
      `handlers run in ${percent(running)}`,
      `${Math.round(perSecond).toLocaleString("en")} tasks/s`,
      `a handler of ${taskMs} ms takes ${(taskMs + lateMs).toFixed(2)} ms`,
      `CPU a task: worker ${workerUs.toFixed(0)} µs, server ${serverUs.toFixed(0)} µs`,
    ].join(", "),
  );
  if (taskMs === asked.taskMs && held < asked.share) isShort = true;
}
if (isShort) console.log(`SHORT: tasks of ${asked.taskMs} ms fill less than ${percent(asked.share)} of the slots`);
process.exitCode = isShort ? 1 : 0;

async function measure(taskMs: number) {
  const folder = benchFolder();
  const nodeArgs = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const server = await startTq(folder.path, nodeArgs);
  const client = Client.create({ address: `${server.host}:${server.port}` });
  try {
    for (let added = 0; added < tasks; added += batch) {
      const size = Math.min(batch, tasks - added);
      await client.tasks.addMany(
        Array.from({ length: size }, (_, n) => ({ taskQueue: "slots", type: "work", args: [added + n], retention: 0 })),
      );
    }

    const now = () => performance.now();
    const running = new BusyShare(slots, now);
    const held = new BusyShare(slots, now);
    let begun = 0;
    let lateMs = 0;
    let beganAtMs = 0;
    let endedAtMs = 0;
    const over = Promise.withResolvers<void>();
    const level = (change: number) => {
      running.set(running.level + change);
      held.set(worker.getStatus().heldTasks);
    };
    const activities = {
      async work() {
        level(1);
        const atMs = now();
        // From full slots to the last task: what comes before and after says nothing about keeping them full.
        if (++begun === slots) {
          running.restart();
          held.restart();
          beganAtMs = atMs;
        } else if (begun === tasks) {
          endedAtMs = atMs;
          shares = { running: running.share(), held: held.share() };
        }
        await new Promise<void>((resolve) => setTimeout(resolve, taskMs));
        lateMs += now() - atMs - taskMs;
        level(-1);
        if (begun === tasks && running.level === 0) over.resolve();
      },
    };
    let shares = { running: 0, held: 0 };
    const cpuBefore = { worker: process.cpuUsage(), server: usageOf(server.pid)?.cpuMs ?? 0 };
    const worker = await Worker.create({
      client,
      taskQueue: "slots",
      activities,
      maxConcurrentActivityTaskExecutions: slots,
    });
    await worker.runUntil(over.promise);
    const { user, system } = process.cpuUsage(cpuBefore.worker);
    return {
      ...shares,
      mostHeld: held.highest,
      perSecond: ((tasks - slots) / (endedAtMs - beganAtMs)) * 1_000,
      lateMs: lateMs / tasks,
      workerUs: (user + system) / tasks,
      serverUs: (((usageOf(server.pid)?.cpuMs ?? 0) - cpuBefore.server) * 1_000) / tasks,
    };
  } finally {
    await client.close();
    await server.stop();
    folder.remove();
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
