/*
 * The three calls that every task passes through, from the bytes of their request to those of their reply. They do what
 * the handlers of the services do, over the same functions; only reading and writing is written out, in wire/, since the
 * reflective way costs more than everything else that these calls do outside the store.
 */
import { RespondTasksRequestSchema, TaskService, WorkerService } from "@tq/proto";
import type { DescMethod } from "@bufbuild/protobuf";
import { messageOf, respondTasksRequestTags, splitItems, unusual } from "@tq/proto/wire";
import { normalizeError, type ReportIncident } from "../errors/boundary.ts";
import { readAddBatch, type AddBatch } from "../translation/add-tasks.ts";
import { answersInBytes } from "../wire/answers.ts";
import { NewTaskBytes } from "../wire/new-task.ts";
import { readAddRequest, readPollRequest } from "../wire/requests.ts";
import { writeAdded, writePolled, writeResponded } from "../wire/replies.ts";
import type { CallOrigin, ServicesContext } from "./services-context.ts";
import { addTasks } from "./task-service.ts";
import { pollTasks, respondTasks } from "./worker-service.ts";

/**
 * A call, from the bytes of its request to those of its reply. Undefined: nothing was done, and the request is to be read
 * in the usual way, which can read everything or says what is wrong. It never throws, it rejects.
 */
export type HotCall = (request: Uint8Array, origin: CallOrigin) => Promise<Uint8Array | undefined>;

/** By their path, such as "/tq.v1.TaskService/AddTasks". */
export type HotCalls = ReadonlyMap<string, HotCall>;

/** The hot calls of these services. */
export function hotCalls(services: ServicesContext, report: ReportIncident): HotCalls {
  const add: HotCall = async (bytes) => {
    const request = readAddRequest(bytes);
    const { requestId, tasks: items } = request;
    const tasks = new NewTaskBytes(bytes);
    const batch: AddBatch = {
      requestId,
      count: items.length / 2,
      readTask: (i, reader) => tasks.read(items[2 * i] ?? 0, items[2 * i + 1] ?? 0, reader),
    };
    const namespace = await services.namespaces.of(request);
    return writeAdded(await addTasks(services, namespace, (...around) => readAddBatch(batch, ...around)));
  };
  // What an open poll holds on to is held by thousands of them: no function waits here.
  const poll: HotCall = (bytes, origin) => {
    const { request, answers: items } = readPollRequest(bytes);
    const answers = answersInBytes(bytes, items, request.requestId);
    return pollTasks(services, request, answers, origin).then(writePolled);
  };
  const respond: HotCall = async (bytes) => {
    const { rest, items } = splitItems(bytes, respondTasksRequestTags.answers);
    const request = messageOf(RespondTasksRequestSchema, rest);
    const answers = answersInBytes(bytes, items, request.requestId);
    return writeResponded(await respondTasks(services, request, answers));
  };
  return new Map([
    bounded(TaskService.method.addTasks, add, report),
    bounded(WorkerService.method.pollTasks, poll, report),
    bounded(WorkerService.method.respondTasks, respond, report),
  ]);
}

/**
 * A call with its boundary, by its path. Whatever is unusual shows before anything is done: a call reads its whole request
 * first, and writing does not fail.
 */
function bounded(method: DescMethod, call: HotCall, report: ReportIncident): [string, HotCall] {
  const name = `${method.parent.typeName}/${method.name}`;
  const failed = (error: unknown): undefined => {
    if (error !== unusual) throw normalizeError(error, name, report);
  };
  return [
    `/${name}`,
    (request, origin) => {
      try {
        return call(request, origin).catch(failed);
      } catch (error) {
        return Promise.reject(error as Error).catch(failed);
      }
    },
  ];
}
