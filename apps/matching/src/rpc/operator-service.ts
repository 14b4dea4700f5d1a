import type { ServiceImpl } from "@connectrpc/connect";
import type { OperatorService } from "@tq/proto";
import { bulkCalls } from "./operator/bulk-calls.ts";
import { eventCalls } from "./operator/event-calls.ts";
import { namespaceCalls } from "./operator/namespace-calls.ts";
import type { OperatorContext } from "./operator/operator-context.ts";
import { queueDeletionCalls } from "./operator/queue-deletion-calls.ts";
import { queueSettingsCalls } from "./operator/queue-settings-calls.ts";
import { serverCalls } from "./operator/server-calls.ts";
import { taskQueueCalls } from "./operator/task-queue-calls.ts";
import { workerCalls } from "./operator/worker-calls.ts";

/** The calls of operators. */
export function operatorService(services: OperatorContext): ServiceImpl<typeof OperatorService> {
  return {
    ...taskQueueCalls(services),
    ...queueSettingsCalls(services),
    ...queueDeletionCalls(services),
    ...bulkCalls(services),
    ...workerCalls(services),
    ...eventCalls(services),
    ...namespaceCalls(services),
    ...serverCalls(services),
  };
}
