/*
 * What a request of AddTasks or PollTasks says once, and where the items of its long list lie. Where it has something that
 * is not read here (a message that comes again, which is merged; registrations in full; a field that is not known), all
 * but the list is read by the library.
 */
import { AddTasksRequestSchema, type PollTasksRequest, PollTasksRequestSchema, type WorkerRef } from "@tq/proto";
import {
  addTasksRequestTags as addTags,
  messageOf,
  pollTasksRequestTags as pollTags,
  readDuration,
  readTaskQueueRef,
  splitItems,
  unusual,
  WireReader,
  workerRefTags,
} from "@tq/proto/wire";

/** Where each item begins, behind its length, and ends: two numbers an item. */
type Items = readonly number[];

/** An AddTasksRequest without its tasks. */
export interface AddRequest {
  readonly namespace: string;
  readonly requestId: string;
  readonly tasks: Items;
}

/** A PollTasksRequest without its answers, and where they lie. */
export interface PollRequest {
  readonly request: PollTasksRequest;
  readonly answers: Items;
}

/** Reads all of an AddTasksRequest but its tasks. Throws `unusual` for bytes that are none. */
export function readAddRequest(bytes: Uint8Array): AddRequest {
  return orElse(
    () => readPlainAdd(bytes),
    () => {
      const { rest, items } = splitItems(bytes, addTags.tasks);
      const { namespace, requestId } = messageOf(AddTasksRequestSchema, rest);
      return { namespace, requestId, tasks: items };
    },
  );
}

/** Reads all of a PollTasksRequest but its answers. Throws `unusual` for bytes that are none. */
export function readPollRequest(bytes: Uint8Array): PollRequest {
  return orElse(
    () => readPlainPoll(bytes),
    () => {
      const { rest, items } = splitItems(bytes, pollTags.answers);
      return { request: messageOf(PollTasksRequestSchema, rest), answers: items };
    },
  );
}

function orElse<Read>(plain: () => Read, byLibrary: () => Read): Read {
  try {
    return plain();
  } catch (error) {
    if (error !== unusual) throw error;
    return byLibrary();
  }
}

/** The same without the library. Throws `unusual` for what is to be read by it. */
export function readPlainAdd(bytes: Uint8Array): AddRequest {
  const reader = new WireReader(bytes);
  const tasks: number[] = [];
  let namespace = "";
  let requestId = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case addTags.tasks:
        reader.piece();
        tasks.push(reader.from, reader.to);
        break;
      case addTags.namespace:
        namespace = reader.text();
        break;
      case addTags.requestId:
        requestId = reader.text();
        break;
      default:
        throw unusual;
    }
  }
  return { namespace, requestId, tasks };
}

/** The same without the library. Throws `unusual` for what is to be read by it. */
export function readPlainPoll(bytes: Uint8Array): PollRequest {
  const reader = new WireReader(bytes);
  const answers: number[] = [];
  const request: PollTasksRequest = {
    $typeName: "tq.v1.PollTasksRequest",
    namespace: "",
    pollId: "",
    taskQueues: [],
    maxTasks: 0,
    receivedPollIds: [],
    answers: [],
    requestId: "",
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case pollTags.answers:
        reader.piece();
        answers.push(reader.from, reader.to);
        break;
      case pollTags.namespace:
        request.namespace = reader.text();
        break;
      case pollTags.pollId:
        request.pollId = reader.text();
        break;
      case pollTags.worker:
        request.worker = onlyOne(request.worker, next(reader, readWorker));
        break;
      case pollTags.taskQueues:
        request.taskQueues.push(next(reader, readTaskQueueRef));
        break;
      case pollTags.maxTasks:
        request.maxTasks = reader.uint32();
        break;
      case pollTags.lease:
        request.lease = onlyOne(request.lease, next(reader, readDuration));
        break;
      case pollTags.confirmWithin:
        request.confirmWithin = onlyOne(request.confirmWithin, next(reader, readDuration));
        break;
      case pollTags.wait:
        request.wait = onlyOne(request.wait, next(reader, readDuration));
        break;
      case pollTags.receivedPollIds:
        request.receivedPollIds.push(reader.text());
        break;
      case pollTags.requestId:
        request.requestId = reader.text();
        break;
      case pollTags.taskQueueRatePerSecond:
        request.taskQueueRatePerSecond = reader.double();
        break;
      default:
        throw unusual;
    }
  }
  return { request, answers };
}

function onlyOne<Message>(present: Message | undefined, read: Message): Message {
  if (present !== undefined) throw unusual;
  return read;
}

/** Reads the message that comes next. */
function next<Message>(reader: WireReader, read: (reader: WireReader) => Message): Message {
  reader.piece();
  return reader.inPiece(read);
}

function readWorker(reader: WireReader): WorkerRef {
  const worker: WorkerRef = {
    $typeName: "tq.v1.WorkerRef",
    workerId: "",
    identity: "",
    buildId: "",
    registrationsHash: "",
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case workerRefTags.workerId:
        worker.workerId = reader.text();
        break;
      case workerRefTags.identity:
        worker.identity = reader.text();
        break;
      case workerRefTags.buildId:
        worker.buildId = reader.text();
        break;
      case workerRefTags.registrationsHash:
        worker.registrationsHash = reader.text();
        break;
      default:
        throw unusual;
    }
  }
  return worker;
}
