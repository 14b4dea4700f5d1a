import type { ServiceImpl } from "@connectrpc/connect";
import {
  DrainTaskQueueRequestSchema,
  PauseTaskQueueRequestSchema,
  ResumeTaskQueueRequestSchema,
  UpdateTaskQueueConfigRequestSchema,
  type OperatorService,
} from "@tq/proto";
import type { TaskQueue } from "@tq/matching-core";
import type { ResultOf } from "@tq/storage";
import type { OperatorOperation } from "../../matching/matching.ts";
import { readAction, type ReadAction } from "../../translation/action.ts";
import { readConfig, toConfigMessage } from "../../translation/queue-config.ts";
import { toDrainMessage, toPauseMessage } from "../../translation/queue-message.ts";
import { partOfRequest } from "../../translation/request-key.ts";
import { readTaskQueue } from "../../translation/task-queue.ts";
import { readMoment } from "../../translation/time.ts";
import { readRevision } from "../../validation/numbers.ts";
import { Violations } from "../../validation/violations.ts";
import { orThrow, type OperatorContext } from "./operator-context.ts";
import { readQueueOfKinds } from "./queue-ref.ts";

type Calls = Pick<
  ServiceImpl<typeof OperatorService>,
  "updateTaskQueueConfig" | "pauseTaskQueue" | "resumeTaskQueue" | "drainTaskQueue"
>;

/** What operators set on queues. */
export function queueSettingsCalls({ matching, namespaces }: OperatorContext): Calls {
  return {
    async updateTaskQueueConfig(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queue = readTaskQueue(request.taskQueue, namespace, "named", "task_queue", violations);
      const change = readConfig(request.config, request.updateMask?.paths ?? [], queue.kind, violations);
      const expectedRevision = readRevision(request.expectedRevision, "expected_revision", violations);
      const read = readAction(UpdateTaskQueueConfigRequestSchema, request, namespace, violations);
      const expected = expectedRevision === undefined ? {} : { expectedRevision };
      const { config } = orThrow(await matching.operate({ verb: "configure", queue, ...change, ...expected, ...read }));
      return { config: toConfigMessage(config) };
    },

    async pauseTaskQueue(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queues = readQueueOfKinds(request.taskQueue, namespace, violations);
      const moment = readMoment(request.until, "until", violations);
      // The store's time is whole ms; a pause never ends early.
      const until = moment === undefined ? undefined : Math.ceil(moment);
      if (until !== undefined && until <= matching.now()) {
        violations.add("INVALID_FIELD", "until", "must be in the future; leave it unset to pause until resumed");
      }
      const read = readAction(PauseTaskQueueRequestSchema, request, namespace, violations);
      const paused = await onEach(queues, read, (queue, part) =>
        matching.operate({ verb: "pause", queue, ...(until !== undefined && { until }), ...part }),
      );
      const [first] = paused.map((result) => orThrow(result));
      return first === undefined ? {} : { pause: toPauseMessage(first.pause) };
    },

    async resumeTaskQueue(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queues = readQueueOfKinds(request.taskQueue, namespace, violations);
      const read = readAction(ResumeTaskQueueRequestSchema, request, namespace, violations);
      const resumed = (
        await onEach(queues, read, (queue, part) => matching.operate({ verb: "resume", queue, ...part }))
      ).map((result) => orThrow(result));
      return {
        wasPaused: resumed.some(({ wasPaused }) => wasPaused),
        wasDraining: resumed.some(({ wasDraining }) => wasDraining),
      };
    },

    async drainTaskQueue(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queues = readQueueOfKinds(request.taskQueue, namespace, violations);
      const read = readAction(DrainTaskQueueRequestSchema, request, namespace, violations);
      const drained = await onEach(queues, read, (queue, part) => matching.operate({ verb: "drain", queue, ...part }));
      const [first] = drained.map((result) => orThrow(result));
      return first === undefined ? {} : { drain: toDrainMessage(first.drain) };
    },
  };
}

/** Does the same to each of the queues, submitted together, so that they go into one commit. */
async function onEach<O extends OperatorOperation>(
  queues: readonly TaskQueue[],
  read: ReadAction,
  operate: (queue: TaskQueue, read: ReadAction) => Promise<ResultOf<O>>,
): Promise<readonly ResultOf<O>[]> {
  return Promise.all(queues.map((queue) => operate(queue, partOfRequest(read, queue.kind))));
}
