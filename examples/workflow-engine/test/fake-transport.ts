import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { AnswerResult, type PollTasksRequest, TaskQueueKind, TaskService, WorkerService } from "@tq/proto";
import type { FakeTq } from "./fake-tq.ts";

/** What befalls the calls of a test. */
export interface Faults {
  /** Loses the answer to every so-many-th poll, after it was carried out. */
  readonly losePoll?: number;
  /** What the first polls are refused with. */
  readonly refusals?: readonly Code[];
}

/** A {@link FakeTq} behind Connect. Time stands still while there is something to do, and skips ahead when there is not. */
export function fakeTransport(tq: FakeTq, faults: Faults = {}): { transport: Transport; polls: PollTasksRequest[] } {
  const polls: PollTasksRequest[] = [];
  const answered = new Map<string, Awaited<ReturnType<typeof poll>>>();
  const gone = new Set<string>();

  async function poll(request: PollTasksRequest) {
    const answerStatuses = request.answers.map((answer) => {
      const result = tq.answer(answer);
      return {
        result,
        ...(result === AnswerResult.REFUSED && { error: { reason: "TASK_ID_TAKEN", field: "commands[0]" } }),
      };
    });
    const [queue] = request.taskQueues;
    for (let turns = 0; ; turns++) {
      const tasks = tq.poll(queue!.kind, queue!.name, request.maxTasks);
      const waitsNoMore = gone.has(request.worker!.workerId) || request.answers.length > 0;
      if (tasks.length > 0 || waitsNoMore) return { tasks, answerStatuses };
      if (turns > 50 && queue!.kind === TaskQueueKind.WORKFLOW) tq.skipAhead();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const transport = createRouterTransport(({ service }) => {
    service(TaskService, {
      addTasks: ({ tasks }) => {
        for (const task of tasks) tq.add(task);
        return { tasks: tasks.map(({ id }) => ({ id, run: 1 })) };
      },
    });
    service(WorkerService, {
      pollTasks: async (request) => {
        polls.push(request);
        const refusal = faults.refusals?.[polls.length - 1];
        if (refusal !== undefined) throw new ConnectError("refused", refusal);
        const known = answered.get(request.pollId);
        if (known !== undefined) return known;
        const response = await poll(request);
        answered.set(request.pollId, response);
        if (polls.length % (faults.losePoll ?? Infinity) === 0) throw new ConnectError("lost", Code.Unavailable);
        return response;
      },
      shutdownWorker: ({ workerId }) => {
        gone.add(workerId);
        return {};
      },
    });
  });
  return { transport, polls };
}
