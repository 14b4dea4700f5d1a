import type { ServiceImpl } from "@connectrpc/connect";
import type { TaskQueueKind } from "@tq/matching-core";
import type { Event, OperatorService, TaskQueueRef } from "@tq/proto";
import type { EventRecord } from "@tq/storage";
import { decodePageToken, encodePageToken } from "../../translation/page-token.ts";
import { checkQueueName, readAnyKind, toTaskQueueRef } from "../../translation/task-queue.ts";
import { toTimestamp } from "../../translation/time.ts";
import { bounds } from "../../validation/bounds.ts";
import { readCount } from "../../validation/numbers.ts";
import { Violations } from "../../validation/violations.ts";
import { fitting, pageThatFits } from "../fitting-page.ts";
import type { OperatorContext } from "./operator-context.ts";

const pageSize = { max: bounds.pageSize, byDefault: bounds.defaultPageSize };

/** What operators did. */
export function eventCalls({
  matching,
  namespaces,
  maxReplyBytes,
}: OperatorContext): Pick<ServiceImpl<typeof OperatorService>, "listEvents"> {
  return {
    async listEvents(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const filter = request.taskQueue === undefined ? {} : readQueueFilter(request.taskQueue, violations);
      const size = readCount(request.pageSize, pageSize, "page_size", violations);
      violations.throwIfAny();
      const after = decodePageToken("events", request.pageToken, 1)?.[0];
      const page = await pageThatFits(
        size,
        (atMost) =>
          matching.reader.listEvents(namespace, filter, { size: atMost, ...(after !== undefined && { after }) }),
        (events) => fitting(events, estimateEventBytes, maxReplyBytes),
      );
      return {
        events: page.items.map(toEvent),
        nextPageToken: page.next === undefined ? "" : encodePageToken("events", [page.next]),
      };
    },
  };
}

function readQueueFilter(
  ref: TaskQueueRef,
  violations: Violations,
): { readonly queueName: string; readonly queueKind?: TaskQueueKind } {
  checkQueueName(ref.name, "task_queue.name", violations);
  const queueKind = readAnyKind(ref.kind, "task_queue.kind", violations);
  return queueKind === undefined ? { queueName: ref.name } : { queueName: ref.name, queueKind };
}

function estimateEventBytes({ action, queue, workerId }: EventRecord): number {
  const { actor, reason, call, request } = action;
  const characters = actor.length + reason.length + call.length + request.length;
  return 100 + 3 * (characters + (queue?.name.length ?? 0) + (workerId?.length ?? 0));
}

function toEvent({ id, at, action, queue, workerId, changed }: EventRecord): Event {
  const message: Event = {
    $typeName: "tq.v1.Event",
    id: BigInt(id),
    at: toTimestamp(at),
    actor: action.actor,
    reason: action.reason,
    call: action.call,
    workerId: workerId ?? "",
    requestJson: action.request,
    changed: BigInt(changed),
  };
  if (queue !== undefined) message.taskQueue = toTaskQueueRef(queue);
  return message;
}
