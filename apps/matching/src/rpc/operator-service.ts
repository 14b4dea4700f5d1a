import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { TaskQueueKind } from "@tq/matching-core";
import {
  TaskQueueKind as KindMessage,
  type Action,
  type Namespace,
  type OperatorService,
  type ServerLimitsSchema,
  type TaskQueueRef,
} from "@tq/proto";
import type { NamespaceRecord } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";
import { refusedByStore } from "../errors/store-refusal.ts";
import { toQueueDescription, toQueueSummary } from "../translation/queue-message.ts";
import { readRequestKey } from "../translation/request-key.ts";
import { checkQueueName, readAnyKind } from "../translation/task-queue.ts";
import { toTimestamp } from "../translation/time.ts";
import { bounds } from "../validation/bounds.ts";
import { readCount } from "../validation/numbers.ts";
import { allowName, allowText } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { defaultNamespace } from "./namespaces.ts";
import type { ServicesContext } from "./services-context.ts";
import { pageOfTaskQueues } from "./task-queue-pages.ts";

const pageSize = { max: bounds.pageSize, byDefault: bounds.defaultPageSize };
const bothKinds: readonly TaskQueueKind[] = ["activity", "workflow"];
const namespaceName = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/** What the operator's calls know beside what all do. */
export interface OperatorContext extends ServicesContext {
  readonly version: string;
  /** Calls of the contract that are not built, as "tq.v1.OperatorService/MoveTasks". */
  readonly unimplementedCalls: () => readonly string[];
}

/** The calls of operators. */
export function operatorService(services: OperatorContext): Partial<ServiceImpl<typeof OperatorService>> {
  const { matching, namespaces } = services;
  return {
    async listTaskQueues(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      allowName(request.namePrefix, bounds.nameBytes, "name_prefix", violations);
      const kind = readAnyKind(request.kind, "kind", violations);
      const size = readCount(request.pageSize, pageSize, "page_size", violations);
      violations.throwIfAny();
      const { namePrefix, pageToken: token } = request;
      const page = await pageOfTaskQueues(matching, { namespace, namePrefix, kind, size, token });
      const now = matching.now();
      return {
        taskQueues: page.items.map((record) => toQueueSummary(record, matching.activityOf(record.queue), now)),
        nextPageToken: page.nextToken,
      };
    },

    async describeTaskQueue(request) {
      const namespace = await namespaces.of(request);
      const { name, kinds } = readQueueOfKinds(request.taskQueue);
      const queues = kinds.map((kind) => ({ namespace, name, kind }));
      const records = await Promise.all(queues.map((queue) => matching.reader.describeTaskQueue(queue)));
      const now = matching.now();
      return {
        taskQueues: records.map((record) => toQueueDescription(record, matching.activityOf(record.queue), now)),
      };
    },

    async createNamespace(call) {
      const violations = new Violations();
      const { name, description, action } = call;
      if (!namespaceName.test(name)) {
        const takes = 'must be 1 to 100 of a-z, 0-9, "-", "_" and ".", beginning with a letter or digit';
        violations.add("INVALID_NAME", "name", takes);
      }
      allowText(description, bounds.reasonBytes, "description", violations);
      checkAction(action, violations);
      const request = readRequestKey(action?.requestId ?? "", defaultNamespace, violations);
      violations.throwIfAny();
      const created = await matching.createNamespace({
        verb: "create-namespace",
        name,
        description,
        ...(request && { request }),
      });
      if ("refused" in created) throw refusedByStore(created.refused, "");
      if (created.existed) throw new CallRefused("NAMESPACE_EXISTS", { subject: name });
      return { namespace: toNamespace(created.namespace) };
    },

    async listNamespaces() {
      const records = await matching.reader.listNamespaces();
      return { namespaces: records.map(toNamespace) };
    },

    getServerInfo() {
      const { info } = matching;
      return {
        version: services.version,
        instanceId: info.instanceId,
        startedAt: toTimestamp(info.startedAt),
        now: toTimestamp(matching.now()),
        storage: info.storage,
        epoch: BigInt(info.epoch),
        limits: limitsOf(services),
        services: matching.services().map(({ name, running, lastProgressAt, lastError }) => ({
          name,
          running,
          lastProgress: toTimestamp(lastProgressAt),
          lastError,
        })),
        waitingPolls: matching.waitingPolls,
        liveWorkers: matching.liveWorkers,
        unimplementedCalls: [...services.unimplementedCalls()],
      };
    },
  };
}

function limitsOf({ maxReplyBytes }: ServicesContext): MessageInitShape<typeof ServerLimitsSchema> {
  return {
    maxReplyBytes,
    maxRequestBytes: bounds.requestBytes,
    maxPayloadBytes: bounds.payloadBytes,
    maxTasksPerAdd: bounds.tasksPerAdd,
  };
}

function readQueueOfKinds(ref: TaskQueueRef | undefined): {
  readonly name: string;
  readonly kinds: readonly TaskQueueKind[];
} {
  const violations = new Violations();
  if (ref === undefined) violations.add("INVALID_FIELD", "task_queue", "is required");
  else checkQueueName(ref.name, "task_queue.name", violations);
  const kind = readAnyKind(ref?.kind ?? KindMessage.UNSPECIFIED, "task_queue.kind", violations);
  violations.throwIfAny();
  return { name: ref?.name ?? "", kinds: kind === undefined ? bothKinds : [kind] };
}

function checkAction(action: Action | undefined, violations: Violations): void {
  if (action === undefined) return;
  allowText(action.actor, bounds.nameBytes, "action.actor", violations);
  allowText(action.reason, bounds.reasonBytes, "action.reason", violations);
}

function toNamespace({ name, description, createdAt }: NamespaceRecord): Namespace {
  return { $typeName: "tq.v1.Namespace", name, description, createdAt: toTimestamp(createdAt) };
}
