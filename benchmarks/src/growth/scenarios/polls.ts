import type { BenchServer } from "../bench-server.ts";
import { TaskQueueKind } from "@tq/proto";

/** A poller by hand: a poll is a call, without what the SDK does around it. */
export interface HandPoller {
  /** Tasks that it was given so far. */
  readonly tasks: number;
  /** Breaks its call off. */
  stop(): Promise<void>;
}

/** Polls a queue for one task at a time, answers it, and polls again, until it is stopped or was given `limit` tasks. */
export function pollByHand(
  { client }: BenchServer,
  queue: string,
  workerId: string,
  { limit = Infinity, onTask = () => {} }: { limit?: number; onTask?: () => void } = {},
): HandPoller {
  const stopped = new AbortController();
  const { signal } = stopped;
  const { workers } = client.services;
  let tasks = 0;
  const taskQueues = [{ name: queue, kind: TaskQueueKind.ACTIVITY }];
  const polling = (async () => {
    while (tasks < limit) {
      const options = { signal, timeoutMs: 60_000 };
      const response = await workers.pollTasks({ namespace: "default", worker: { workerId }, taskQueues }, options);
      for (const { token } of response.tasks) {
        tasks++;
        onTask();
        const answer = { case: "completed", value: {} } as const;
        await workers.respondTasks({ namespace: "default", workerId, answers: [{ token, answer }] }, options);
      }
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    get tasks() {
      return tasks;
    },
    stop() {
      stopped.abort();
      return polling;
    },
  };
}

/** Resolves once the server says that so many polls wait. @throws Error if they do not in time. */
export async function untilWaiting({ client }: BenchServer, polls: number, limitMs = 60_000): Promise<void> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const { waitingPolls } = await client.services.operator.getServerInfo({});
    if (waitingPolls >= polls) return;
    if (performance.now() > endsAt) throw new Error(`${waitingPolls} polls wait, not ${polls}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
