import type { ServiceImpl } from "@connectrpc/connect";
import type { OperatorService } from "@tq/proto";
import { toQueueDescription, toQueueSummary } from "../../translation/queue-message.ts";
import { readAnyKind } from "../../translation/task-queue.ts";
import { bounds } from "../../validation/bounds.ts";
import { readCount } from "../../validation/numbers.ts";
import { allowName } from "../../validation/strings.ts";
import { Violations } from "../../validation/violations.ts";
import { pageOfTaskQueues } from "../task-queue-pages.ts";
import type { OperatorContext } from "./operator-context.ts";
import { readQueueOfKinds } from "./queue-ref.ts";

const pageSize = { max: bounds.pageSize, byDefault: bounds.defaultPageSize };

/** What stands in the queues, and why it does. */
export function taskQueueCalls({
  matching,
  namespaces,
}: OperatorContext): Pick<ServiceImpl<typeof OperatorService>, "listTaskQueues" | "describeTaskQueue"> {
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
      const violations = new Violations();
      const queues = readQueueOfKinds(request.taskQueue, namespace, violations);
      violations.throwIfAny();
      const records = await Promise.all(queues.map((queue) => matching.reader.describeTaskQueue(queue)));
      const now = matching.now();
      return {
        taskQueues: records.map((record) => toQueueDescription(record, matching.activityOf(record.queue), now)),
      };
    },
  };
}
