import type { ServiceImpl } from "@connectrpc/connect";
import type { LiveWorker, TaskQueue } from "@tq/matching-core";
import { DrainWorkerRequestSchema, type OperatorService, type TaskQueueRef } from "@tq/proto";
import { CallRefused } from "../../errors/call-refused.ts";
import { readAction } from "../../translation/action.ts";
import { decodePageToken, encodePageToken } from "../../translation/page-token.ts";
import {
  estimateWorkerBytes,
  fittingHeldTasks,
  toWorkerMessage,
  type KnownWorker,
} from "../../translation/worker-message.ts";
import { bounds } from "../../validation/bounds.ts";
import { readCount } from "../../validation/numbers.ts";
import { requireName } from "../../validation/strings.ts";
import { Violations } from "../../validation/violations.ts";
import { orThrow, type OperatorContext } from "./operator-context.ts";
import { readQueueOfKinds } from "./queue-ref.ts";

const pageSize = { max: bounds.pageSize, byDefault: bounds.defaultPageSize };

type Calls = Pick<ServiceImpl<typeof OperatorService>, "listWorkers" | "describeWorker" | "drainWorker">;

/** Who works, and on what. */
export function workerCalls({ matching, namespaces, maxReplyBytes }: OperatorContext): Calls {
  /** The workers of a namespace, or of these queues, in order of their ids. */
  async function find(namespace: string, queues: readonly TaskQueue[] | undefined): Promise<readonly KnownWorker[]> {
    const started = await matching.reader.startedByWorker(namespace);
    const ids = new Set<string>();
    const live = new Map<string, LiveWorker>();
    for (const queue of queues ?? [undefined]) {
      for (const worker of matching.workersOf(namespace, queue)) live.set(worker.workerId, worker);
      const holders = queue === undefined ? started : (await matching.reader.describeTaskQueue(queue)).startedByWorker;
      for (const [workerId, count] of holders) if (count > 0) ids.add(workerId);
    }
    for (const workerId of live.keys()) ids.add(workerId);
    return [...ids].sort().map((workerId) => ({
      workerId,
      live: live.get(workerId) ?? matching.workerOf(namespace, workerId),
      drained: matching.isDrained(namespace, workerId),
      started: started.get(workerId) ?? 0,
    }));
  }

  async function findOne(namespace: string, workerId: string): Promise<KnownWorker> {
    const live = matching.workerOf(namespace, workerId);
    const started = (await matching.reader.startedByWorker(namespace)).get(workerId) ?? 0;
    if (live === undefined && started === 0) throw new CallRefused("WORKER_NOT_FOUND", { subject: workerId });
    return { workerId, live, drained: matching.isDrained(namespace, workerId), started };
  }

  return {
    async listWorkers(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const queues = readAnyQueue(request.taskQueue, namespace, violations);
      const size = readCount(request.pageSize, pageSize, "page_size", violations);
      violations.throwIfAny();
      const after = decodePageToken("workers", request.pageToken, 1)?.[0];
      const found = await find(namespace, queues);
      const rest = after === undefined ? found : found.filter(({ workerId }) => workerId > after);
      const shown: KnownWorker[] = [];
      let bytes = 0;
      for (const worker of rest.slice(0, size)) {
        bytes += estimateWorkerBytes(worker);
        if (bytes > maxReplyBytes && shown.length > 0) break;
        shown.push(worker);
      }
      const last = shown.at(-1);
      return {
        workers: shown.map((worker) => toWorkerMessage(worker)),
        nextPageToken:
          last === undefined || shown.length === rest.length ? "" : encodePageToken("workers", [last.workerId]),
      };
    },

    async describeWorker(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      requireName(request.workerId, bounds.workerIdBytes, "worker_id", violations);
      violations.throwIfAny();
      const found = await findOne(namespace, request.workerId);
      const held = await matching.reader.heldBy(namespace, request.workerId, bounds.heldTasksShown, maxReplyBytes);
      return { worker: toWorkerMessage(found, fittingHeldTasks(held, maxReplyBytes - estimateWorkerBytes(found))) };
    },

    async drainWorker(request) {
      const namespace = await namespaces.of(request);
      const { workerId } = request;
      const violations = new Violations();
      requireName(workerId, bounds.workerIdBytes, "worker_id", violations);
      const read = readAction(DrainWorkerRequestSchema, request, namespace, violations);
      await findOne(namespace, workerId);
      orThrow(await matching.drainWorker({ verb: "drain-worker", namespace, workerId, ...read }));
      return {};
    },
  };
}

function readAnyQueue(
  ref: TaskQueueRef | undefined,
  namespace: string,
  violations: Violations,
): readonly TaskQueue[] | undefined {
  return ref === undefined ? undefined : readQueueOfKinds(ref, namespace, violations);
}
