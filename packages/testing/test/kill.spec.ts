import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AnswerResult, TaskQueueKind, TaskService, TaskState, WorkerService, type DispatchedTask } from "@tq/proto";
import { afterEach, expect, test } from "vitest";
import { freePort, isConnectionLost, ServerProcess } from "./server-process.ts";

const kills = 20;
const producers = 4;
const workers = 4;
const batch = 20;

let server: ServerProcess | undefined;
afterEach(async () => server?.remove());

/** Mulberry32: the moments of the kills, and nothing else, so that a run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(
  `${kills} kills at random moments under load lose nothing acknowledged, and every task closes once`,
  { timeout: 90_000 },
  async () => {
    const seed = 20261123;
    const random = seeded(seed);
    const process = new ServerProcess(await freePort());
    server = process;
    await process.start();
    const transport = createConnectTransport({ baseUrl: process.url, httpVersion: "1.1" });
    const tasks = createClient(TaskService, transport);
    const working = createClient(WorkerService, transport);
    const activities = { name: "work", kind: TaskQueueKind.ACTIVITY };
    const outcomes = { name: "outcomes", kind: TaskQueueKind.WORKFLOW };

    // The checker's own account.
    const acknowledged = new Set<string>();
    const accepted = new Map<string, number>();
    const outcomesOf = new Map<string, Set<string>>();
    let producing = true;
    let running = true;

    async function produce(producer: number): Promise<void> {
      for (let n = 0; producing; n++) {
        const ids = Array.from({ length: batch }, (_, i) => `p${producer}-${n}-${i}`);
        const request = {
          requestId: `add-${producer}-${n}`,
          tasks: ids.map((id) => ({
            id,
            taskQueue: activities,
            type: "t",
            onClose: { taskQueue: outcomes, type: "done" },
          })),
        };
        // Repeated until it is known to have happened, as a client does.
        for (;;) {
          try {
            await tasks.addTasks(request);
            for (const id of ids) acknowledged.add(id);
            break;
          } catch (error) {
            if (!isConnectionLost(ConnectError.from(error))) throw error;
            await restarted();
          }
        }
      }
    }

    async function work(name: string, queue: typeof activities, handle: (task: DispatchedTask) => void): Promise<void> {
      for (let n = 0; running; n++) {
        const poll = {
          pollId: `${name}-${n}`,
          worker: { workerId: name },
          taskQueues: [queue],
          maxTasks: 50,
          wait: { seconds: 1n },
          lease: { seconds: 30n },
        };
        const { tasks: got } = await untilAnswered(async () => working.pollTasks(poll));
        if (got.length === 0) continue;
        const answers = got.map(({ token }) => ({ token, answer: { case: "completed" as const, value: {} } }));
        const request = { workerId: name, requestId: `answer-${name}-${n}`, answers };
        const { statuses } = await untilAnswered(async () => working.respondTasks(request));
        statuses.forEach(({ result }, i) => {
          const task = got[i]!;
          if (result === AnswerResult.ACCEPTED) accepted.set(task.id, (accepted.get(task.id) ?? 0) + 1);
          handle(task);
        });
      }
    }

    async function untilAnswered<Response>(call: () => Promise<Response>): Promise<Response> {
      for (;;) {
        try {
          return await call();
        } catch (error) {
          if (!isConnectionLost(ConnectError.from(error))) throw error;
          await restarted();
        }
      }
    }

    let up = Promise.resolve();
    const restarted = async (): Promise<void> => {
      await up;
      await new Promise((resolve) => void setImmediate(resolve));
    };

    const producing_ = Array.from({ length: producers }, async (_, i) => produce(i));
    const working_ = Array.from({ length: workers }, async (_, i) => work(`w${i}`, activities, () => undefined));
    const collecting = work("engine", outcomes, (task) => {
      const { id } = task.closedTask!;
      outcomesOf.set(id, (outcomesOf.get(id) ?? new Set()).add(task.id));
      expect(task.closedTask!.outcome!.state).toBe(TaskState.COMPLETED);
    });
    const all = Promise.all([...producing_, ...working_, collecting]);

    for (let kill = 0; kill < kills; kill++) {
      const before = acknowledged.size;
      const afterMs = 50 + random() * 250;
      await Promise.race([all, new Promise((resolve) => setTimeout(resolve, afterMs))]);
      up = (async () => {
        await process.kill();
        await process.start();
      })();
      await Promise.race([all, up]);
      await expect.poll(() => acknowledged.size, { timeout: 20_000, interval: 5 }).toBeGreaterThan(before);
    }
    producing = false;
    await Promise.race([all, Promise.all(producing_)]);
    await expect.poll(() => [...acknowledged].filter((id) => !outcomesOf.has(id)), { timeout: 30_000 }).toEqual([]);
    running = false;
    await all;

    expect(acknowledged.size).toBeGreaterThan(kills * batch);
    // Each task closed once: one outcome each, whatever was delivered twice, and no answer of it was accepted twice.
    for (const id of acknowledged) expect([id, outcomesOf.get(id)?.size]).toEqual([id, 1]);
    for (const [id, times] of accepted) expect([id, times]).toEqual([id, 1]);
    const ids = [...acknowledged];
    for (let i = 0; i < ids.length; i += 1000) {
      const { tasks: found, missingIds } = await tasks.getTasks({ ids: ids.slice(i, i + 1000) });
      expect(missingIds).toEqual([]);
      for (const task of found) expect([task.id, task.state, task.attempt]).toEqual([task.id, TaskState.COMPLETED, 1]);
    }
    expect(await process.stop()).toBe(0);
  },
);
