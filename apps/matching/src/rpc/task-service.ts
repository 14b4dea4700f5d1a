import type { ServiceImpl } from "@connectrpc/connect";
import {
  CancelStatus as CancelStatusMessage,
  WaitFor,
  type AddedTask,
  type AddTasksResponse,
  type GetTasksRequest,
  type GetTasksResponse,
  type Task,
  type TaskService,
} from "@tq/proto";
import type { AddOperation, CancelOperation, CancelStatus, TaskRecord } from "@tq/storage";
import { refusedByStore } from "../errors/store-refusal.ts";
import { readAddTasks } from "../translation/add-tasks.ts";
import { decodePageToken, encodePageToken } from "../translation/page-token.ts";
import { readRequestKey } from "../translation/request-key.ts";
import { readTaskFilter } from "../translation/task-filter.ts";
import { makeTaskId } from "../translation/task-id.ts";
import { toTaskMessage } from "../translation/task-message.ts";
import type { Writable } from "../translation/writable.ts";
import { bounds } from "../validation/bounds.ts";
import { limitItems, readCount, readDurationMs } from "../validation/numbers.ts";
import { allowText, requireName } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { addWarnings } from "./add-warnings.ts";
import { holdMs } from "./holding.ts";
import type { ServicesContext } from "./services-context.ts";
import { fittingTasks, pageOfTasks, shownTasks, type ShownTask } from "./task-pages.ts";
import { workersOfBuild } from "./workers-of-build.ts";
import { taskReasons } from "./task-reasons.ts";

const waitRange = { minMs: 0, maxMs: Infinity, words: "0 to 60 s" };
const pageSize = { max: bounds.pageSize, byDefault: bounds.defaultPageSize };

const cancelStatus: Readonly<Record<CancelStatus, CancelStatusMessage>> = {
  canceled: CancelStatusMessage.CANCELED,
  requested: CancelStatusMessage.REQUESTED,
  "already-closed": CancelStatusMessage.ALREADY_CLOSED,
  "not-found": CancelStatusMessage.NOT_FOUND,
};

/** The calls of producers and workflow engines. */
export function taskService(services: ServicesContext): ServiceImpl<typeof TaskService> {
  const { matching, namespaces } = services;
  return {
    async addTasks(request): Promise<AddTasksResponse> {
      const added = await addTasks(services, await namespaces.of(request), (...around) =>
        readAddTasks(request, ...around),
      );
      const tasks = added.map((task): AddedTask => ({ $typeName: "tq.v1.AddedTask", ...task }));
      return { $typeName: "tq.v1.AddTasksResponse", tasks };
    },

    async getTasks(request, context) {
      const namespace = await namespaces.of(request);
      const { askedMs, waitFor } = readGetTasks(request);
      const waitMs = holdMs(askedMs, context.timeoutMs(), services.random());
      const found = await matching.getTasks({ namespace, ids: request.ids, waitMs, waitFor, signal: context.signal });
      return toGetTasksResponse(request, found, services);
    },

    async listTasks(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const filter = readTaskFilter(request.filter, {
        path: "filter",
        violations,
        workersOfBuild: (buildId) => workersOfBuild(matching, namespace, buildId),
      });
      const size = readCount(request.pageSize, pageSize, "page_size", violations);
      violations.throwIfAny();
      const after = decodePageToken("tasks", request.pageToken, 1)?.[0];
      const { includePayloads } = request;
      const detail = {
        input: includePayloads,
        fallbackInput: includePayloads,
        payloads: includePayloads,
        handedOn: includePayloads,
      };
      const query = { namespace, filter, size, after };
      const page = await pageOfTasks(matching.reader, query, detail, services.maxReplyBytes);
      return {
        ...(await toTasks(shownTasks(page.items, detail, services.maxReplyBytes), matching)),
        nextPageToken: page.next === undefined ? "" : encodePageToken("tasks", [page.next]),
      };
    },

    async cancelTasks(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const key = readRequestKey(request.requestId, namespace, violations);
      checkIds(request.ids, bounds.idsPerCancel, violations);
      allowText(request.reason, bounds.reasonBytes, "reason", violations);
      violations.throwIfAny();
      const { ids, force, reason } = request;
      const operation: Writable<CancelOperation> = { verb: "cancel", namespace, ids, force, reason };
      if (key !== undefined) operation.request = key;
      const result = await matching.cancel(operation);
      if ("refused" in result) throw refusedByStore(result.refused, `ids[${result.refused.index}]`);
      return { statuses: result.statuses.map((status) => cancelStatus[status]) };
    },
  };
}

/** AddTasks, whichever way its request is read and its reply is written. */
export async function addTasks(
  { matching }: ServicesContext,
  namespace: string,
  read: (namespace: string, makeId: () => string) => AddOperation,
): Promise<Omit<AddedTask, "$typeName">[]> {
  const operation = read(namespace, () => makeTaskId(matching.now()));
  const result = await matching.add(operation);
  if ("refused" in result) throw refusedByStore(result.refused, `tasks[${result.refused.index}]`);
  const warned = addWarnings(operation.tasks, matching);
  return result.added.map(({ id, run, existed }, i) => ({
    id,
    run,
    existed,
    warnings: existed ? [] : (warned[i] ?? []),
  }));
}

function readGetTasks(request: GetTasksRequest): { readonly askedMs: number; readonly waitFor: "all" | "any" } {
  const violations = new Violations();
  if (request.ids.length === 0) violations.add("INVALID_FIELD", "ids", "must name at least one task");
  checkIds(request.ids, bounds.idsPerGet, violations);
  const askedMs = readDurationMs(request.wait, waitRange, "wait", violations) ?? 0;
  let waitFor: "all" | "any" = "all";
  switch (request.waitFor) {
    case WaitFor.UNSPECIFIED:
    case WaitFor.ALL_CLOSED:
      break;
    case WaitFor.ANY_CLOSED:
      waitFor = "any";
      break;
    default:
      violations.add("INVALID_FIELD", "wait_for", "must be ALL_CLOSED or ANY_CLOSED");
  }
  violations.throwIfAny();
  return { askedMs, waitFor };
}

function checkIds(ids: readonly string[], max: number, violations: Violations): void {
  if (!limitItems(ids.length, max, "ids", violations)) return;
  for (let i = 0; i < ids.length; i++) {
    violations.within("ids", i);
    requireName(ids[i] ?? "", bounds.lookedUpTaskIdBytes, "", violations);
  }
  violations.atTop();
}

async function toGetTasksResponse(
  request: GetTasksRequest,
  found: readonly (TaskRecord | undefined)[],
  { matching, maxReplyBytes }: ServicesContext,
): Promise<GetTasksResponse> {
  const detail = { input: !request.omitInput, fallbackInput: true, payloads: true, handedOn: true };
  const tasks = found.filter((task) => task !== undefined);
  // Every id may have to be named, as missing or as omitted.
  const idBytes = request.ids.reduce((sum, id) => sum + Buffer.byteLength(id) + 4, 0);
  const maxBytes = maxReplyBytes - idBytes;
  const shown = shownTasks(tasks, detail, maxBytes);
  const fitting = fittingTasks(shown, maxBytes);
  const answered = await toTasks(shown.slice(0, fitting), matching);
  return {
    $typeName: "tq.v1.GetTasksResponse",
    tasks: answered.tasks,
    missingIds: request.ids.filter((_id, i) => found[i] === undefined),
    omittedIds: [...answered.omittedIds, ...tasks.slice(fitting).map((task) => task.id)],
  };
}

/** Tasks as messages, and the ids of those that are too large to be shown. */
async function toTasks(
  shown: readonly ShownTask[],
  matching: ServicesContext["matching"],
): Promise<{ tasks: Task[]; omittedIds: string[] }> {
  const reasonsOf = await taskReasons(
    shown.map(({ task }) => task),
    matching,
  );
  const tasks: Task[] = [];
  const omittedIds: string[] = [];
  for (const { task, detail } of shown) {
    if (detail === undefined) omittedIds.push(task.id);
    else tasks.push(toTaskMessage(task, detail, reasonsOf(task)));
  }
  return { tasks, omittedIds };
}
