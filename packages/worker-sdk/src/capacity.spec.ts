import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { AnswerResult, type DispatchedTask, DispatchedTaskSchema, TaskQueueKind, WorkerService } from "@tq/proto";
import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { Context } from "./context.ts";
import type { WorkerOptions } from "./worker-options.ts";
import { Worker } from "./worker.ts";

/** Numbers from 0 to 1 that follow from a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/**
 * A server that keeps no promise: it sends more tasks than were asked for, the same ones twice, those of earlier polls
 * again, of either kind, loses answers, refuses them, takes leases away and breaks calls off.
 */
function lawless(random: () => number) {
  const sent: DispatchedTask[] = [];
  const count = { deliveries: 0 };
  const chance = (share: number) => random() < share;
  const breaks = () => {
    if (chance(0.1)) throw new ConnectError("lost", Code.Unavailable);
  };
  const some = <T>(all: readonly T[], share: number) => all.filter(() => chance(share));
  const dispatch = (): DispatchedTask => {
    const kind = chance(0.7) ? TaskQueueKind.ACTIVITY : TaskQueueKind.WORKFLOW;
    const task = create(DispatchedTaskSchema, {
      token: Buffer.from(`token ${sent.length}`),
      id: `task ${sent.length}`,
      type: "work",
      attempt: 1,
      taskQueue: { name: "q", kind },
      lease: durationFromMs(30_000),
    });
    sent.push(task);
    return task;
  };
  const status = () => {
    const results = [
      AnswerResult.ACCEPTED,
      AnswerResult.ALREADY_ANSWERED,
      AnswerResult.LEASE_LOST,
      AnswerResult.REFUSED,
    ];
    return { result: results[Math.floor(random() * results.length)]! };
  };
  const transport = createRouterTransport(({ service }) => {
    service(WorkerService, {
      pollTasks: ({ maxTasks, answers }) => {
        breaks();
        const fresh = Array.from({ length: Math.floor(random() * maxTasks * 2) }, dispatch);
        const tasks = [...fresh, ...some(fresh, 0.2), ...some(sent.slice(-30), 0.1)];
        count.deliveries += tasks.length;
        // Sometimes it knows nothing of answers that come with a poll.
        return { tasks, answerStatuses: chance(0.8) ? answers.map(status) : [] };
      },
      respondTasks: ({ answers }) => {
        breaks();
        return { statuses: some(answers, 0.9).map(status) };
      },
      renewLeases: ({ tokens }) => {
        breaks();
        return { lostTokens: some(tokens, 0.05), cancelRequests: some(tokens, 0.05).map((token) => ({ token })) };
      },
      shutdownWorker: () => ({}),
    });
  });
  return { transport, count };
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test.each<[string, number, Partial<WorkerOptions>]>([
  ["fixed", 1, { maxConcurrentActivityTaskExecutions: 4, maxConcurrentWorkflowTaskExecutions: 3 }],
  ["fixed", 2, { maxConcurrentActivityTaskExecutions: 4, maxConcurrentWorkflowTaskExecutions: 3 }],
  [
    "paced",
    3,
    {
      maxConcurrentActivityTaskExecutions: 4,
      maxConcurrentWorkflowTaskExecutions: 3,
      maxActivitiesPerSecond: 200,
      processQueue: true,
    },
  ],
  [
    "resource-based",
    4,
    {
      tuner: {
        tunerOptions: {
          targetMemoryUsage: 0.8,
          targetCpuUsage: 0.8,
          resources: { read: () => ({ memory: 0.5, cpu: 0 }) },
        },
        activityTaskSlotOptions: { maximumSlots: 4 },
        workflowTaskSlotOptions: { maximumSlots: 3 },
      },
    },
  ],
])(
  "with %s slots (seed %i) a worker never has more handlers at work than slots, whatever the server does",
  async (_kind, seed, options) => {
    const clock = new ManualClock();
    const random = seeded(seed);
    const { transport, count } = lawless(random);
    let running = 0;
    let most = 0;
    let begun = 0;
    const handle = async () => {
      begun++;
      most = Math.max(most, ++running);
      try {
        await Context.current()
          .sleep(Math.floor(random() * 500))
          .catch(() => {});
        // Some ignore their signal for a while.
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, Math.floor(random() * 200)));
      } finally {
        running--;
      }
    };
    const worker = await Worker.create({
      taskQueue: "q",
      activities: { work: handle },
      workflows: { work: handle },
      transport,
      clock,
      random,
      logger: silent,
      ...options,
    });
    const run = worker.run();
    for (let turn = 0; turn < 100; turn++) {
      await clock.advance(100);
      const { activitySlotsUsed, workflowSlotsUsed, runningHandlers } = worker.getStatus();
      expect(activitySlotsUsed).toBeLessThanOrEqual(4);
      expect(workflowSlotsUsed).toBeLessThanOrEqual(3);
      expect(runningHandlers).toBeLessThanOrEqual(7);
    }
    expect(most).toBe(7);
    expect(begun).toBeGreaterThan(50);
    // Many more were sent than it could hold.
    expect(count.deliveries).toBeGreaterThan(begun + 50);
    worker.shutdown();
    for (let turn = 0; turn < 60 && worker.getState() !== "STOPPED"; turn++) await clock.advance(1_000);
    await run;
    expect(worker.getStatus()).toMatchObject({
      activitySlotsUsed: 0,
      workflowSlotsUsed: 0,
      heldTasks: 0,
      runningHandlers: 0,
    });
    expect(clock.pending).toBe(0);
  },
);
