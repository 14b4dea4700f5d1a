import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  MoveTasksRequestSchema,
  PurgeTasksRequestSchema,
  RedriveTasksRequestSchema,
  ReleaseTasksRequestSchema,
  type Action,
  type BulkOptions,
  type BulkProgress,
  type OperatorService,
} from "@tq/proto";
import type { TaskChange } from "@tq/storage";
import { readAction } from "../../translation/action.ts";
import { readTaskQueue } from "../../translation/task-queue.ts";
import { Violations } from "../../validation/violations.ts";
import { changeTasks, readBulk, toProgressMessage, type BulkScope } from "./bulk.ts";
import type { OperatorContext } from "./operator-context.ts";

type Calls = Pick<ServiceImpl<typeof OperatorService>, "purgeTasks" | "moveTasks" | "redriveTasks" | "releaseTasks">;

/** What bulk requests have in common. */
interface BulkRequest {
  readonly namespace: string;
  readonly action?: Action | undefined;
  readonly bulk?: BulkOptions | undefined;
}

/** What is done to many tasks at once. */
export function bulkCalls(services: OperatorContext): Calls {
  /** Reads the request, then changes its tasks, chunk by chunk. */
  async function* bulk<Schema extends DescMessage>(
    schema: Schema,
    request: MessageShape<Schema> & BulkRequest,
    { signal }: HandlerContext,
    readChange: (scope: BulkScope, namespace: string, violations: Violations) => BulkScope & { change: TaskChange },
  ): AsyncGenerator<{ readonly progress: BulkProgress }> {
    const namespace = await services.namespaces.of(request);
    const violations = new Violations();
    const scope = readBulk(request.bulk, namespace, services, violations);
    const bulkChange = readChange(scope, namespace, violations);
    const read = readAction(schema, request, namespace, violations);
    for await (const { progress, done } of changeTasks(services, { ...bulkChange, ...read, namespace }, signal)) {
      yield { progress: toProgressMessage(progress, done) };
    }
  }

  return {
    purgeTasks: (request, context) =>
      bulk(PurgeTasksRequestSchema, request, context, (scope) => ({
        ...scope,
        change: { kind: "purge", silent: request.silent },
      })),

    moveTasks: (request, context) =>
      bulk(MoveTasksRequestSchema, request, context, (scope, namespace, violations) => {
        const to = readTaskQueue(request.to, namespace, "named", "to", violations);
        if (scope.filter.queueKind !== undefined && scope.filter.queueKind !== to.kind) {
          violations.add(
            "INVALID_FIELD",
            "to.kind",
            "must be the kind of the filter's queue: tasks stay what they are",
          );
        }
        // Tasks of the other kind are not meant, wherever the filter would find them.
        return { ...scope, filter: { ...scope.filter, queueKind: to.kind }, change: { kind: "move", to } };
      }),

    redriveTasks: (request, context) =>
      bulk(RedriveTasksRequestSchema, request, context, (scope) => ({ ...scope, change: { kind: "redrive" } })),

    releaseTasks: (request, context) =>
      bulk(ReleaseTasksRequestSchema, request, context, (scope) => ({ ...scope, change: { kind: "release" } })),
  };
}
