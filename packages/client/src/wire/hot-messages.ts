/*
 * The messages of the three calls that every task passes through, written and read by hand: as the library does it, in a
 * fraction of the time. What is out of the ordinary is left to the library, item by item.
 */
import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type AddedTask,
  type AddTasksRequest,
  AddTasksRequestSchema,
  type AddTasksResponse,
  AddTasksResponseSchema,
  AddWarning,
  type AnswerStatus,
  AnswerStatusSchema,
  type PollTasksRequest,
  PollTasksRequestSchema,
  type PollTasksResponse,
  PollTasksResponseSchema,
  type RespondTasksRequest,
  RespondTasksRequestSchema,
  type RespondTasksResponse,
  RespondTasksResponseSchema,
  type TaskAnswer,
  TaskAnswerSchema,
} from "@tq/proto";
import {
  addedTaskTags,
  addTasksRequestTags,
  addTasksResponseTags,
  answerStatusTags,
  messageOf,
  pollTasksRequestTags,
  pollTasksResponseTags,
  respondTasksRequestTags,
  respondTasksResponseTags,
  splitItems,
  taskAnswerTags,
  taskCompletedTags,
  unusual,
  WireReader,
  WireWriter,
} from "@tq/proto/wire";
import { DispatchedBytes } from "./dispatched.ts";
import { likelyTaskBytes, writeNewTask, writePayload } from "./new-task.ts";
import { isPlainPoll, writePlainPoll } from "./poll-tasks.ts";
import { tasksAheadOf } from "./tasks-ahead.ts";

/** The bytes of a message. */
export function encodeMessage<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): Uint8Array {
  const write = writers.get(schema);
  if (write !== undefined) {
    try {
      return write(message);
    } catch (error) {
      if (error !== unusual) throw error;
    }
  }
  return toBinary(schema, message);
}

/** The message that these bytes are. */
export function decodeMessage<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  const read = readers.get(schema);
  if (read !== undefined) {
    try {
      return read(bytes) as MessageShape<Schema>;
    } catch (error) {
      if (error !== unusual) throw error;
    }
  }
  return fromBinary(schema, bytes);
}

const writers = new Map<DescMessage, (message: Message) => Uint8Array>([
  [AddTasksRequestSchema, (message) => writeAddTasks(message as AddTasksRequest)],
  [PollTasksRequestSchema, (message) => writePollTasks(message as PollTasksRequest)],
  [RespondTasksRequestSchema, (message) => writeRespondTasks(message as RespondTasksRequest)],
]);

const readers = new Map<DescMessage, (bytes: Uint8Array) => Message>([
  [AddTasksResponseSchema, readAddTasksResponse],
  [PollTasksResponseSchema, readPollTasksResponse],
  [RespondTasksResponseSchema, readRespondTasksResponse],
]);

/** What an answer probably takes: for a writer's first size. */
const likelyAnswerBytes = 64;

function writeAddTasks(request: AddTasksRequest): Uint8Array {
  if (request.$unknown !== undefined) throw unusual;
  const ahead = tasksAheadOf(request);
  const tasksBytes =
    ahead === undefined
      ? request.tasks.length * likelyTaskBytes
      : ahead.reduce((bytes, piece) => bytes + piece.length, 0);
  const writer = new WireWriter(100 + tasksBytes);
  writer.text(addTasksRequestTags.namespace, request.namespace);
  writer.text(addTasksRequestTags.requestId, request.requestId);
  if (ahead !== undefined) for (const piece of ahead) writer.raw(piece);
  else for (const task of request.tasks) writeNewTask(writer, addTasksRequestTags.tasks, task);
  return writer.finish();
}

function writePollTasks(request: PollTasksRequest): Uint8Array {
  const { answers } = request;
  const writer = new WireWriter(400 + answers.length * likelyAnswerBytes);
  if (isPlainPoll(request)) writePlainPoll(writer, request);
  else if (answers.length === 0) throw unusual;
  else writer.raw(toBinary(PollTasksRequestSchema, { ...request, answers: [] }));
  // The order of fields is free: the many come last.
  for (const answer of answers) writeAnswer(writer, pollTasksRequestTags.answers, answer);
  return writer.finish();
}

function writeRespondTasks(request: RespondTasksRequest): Uint8Array {
  if (request.$unknown !== undefined) throw unusual;
  const writer = new WireWriter(200 + request.answers.length * likelyAnswerBytes);
  writer.text(respondTasksRequestTags.namespace, request.namespace);
  writer.text(respondTasksRequestTags.workerId, request.workerId);
  writer.text(respondTasksRequestTags.requestId, request.requestId);
  for (const answer of request.answers) writeAnswer(writer, respondTasksRequestTags.answers, answer);
  for (const id of request.receivedPollIds) writer.someText(respondTasksRequestTags.receivedPollIds, id);
  return writer.finish();
}

function writeAnswer(writer: WireWriter, tag: number, message: TaskAnswer): void {
  const { answer } = message;
  if (
    answer.case !== "completed" ||
    answer.value.commands.length > 0 ||
    answer.value.$unknown !== undefined ||
    message.$unknown !== undefined
  ) {
    writer.bytes(tag, toBinary(TaskAnswerSchema, message));
    return;
  }
  const { result } = answer.value;
  const mark = writer.open(tag, 1);
  if (message.token.length > 0) writer.bytes(taskAnswerTags.token, message.token);
  const completed = writer.open(taskAnswerTags.completed, 1);
  if (result !== undefined) writePayload(writer, taskCompletedTags.result, result);
  writer.close(completed);
  writer.close(mark);
}

function readAddTasksResponse(bytes: Uint8Array): AddTasksResponse {
  const { rest, items } = splitItems(bytes, addTasksResponseTags.tasks);
  if (rest.length > 0) throw unusual;
  const reader = new WireReader(bytes);
  const tasks: AddedTask[] = [];
  for (let i = 0; i < items.length; i += 2) {
    reader.at = items[i] ?? 0;
    reader.end = items[i + 1] ?? 0;
    tasks.push(readAdded(reader));
  }
  return { $typeName: "tq.v1.AddTasksResponse", tasks };
}

function readAdded(reader: WireReader): AddedTask {
  const added: AddedTask = { $typeName: "tq.v1.AddedTask", id: "", run: 0, existed: false, warnings: [] };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === addedTaskTags.id) added.id = reader.text();
    else if (tag === addedTaskTags.run) added.run = reader.uint32();
    else if (tag === addedTaskTags.existed) added.existed = readBool(reader);
    else if (tag === addedTaskTags.warnings) {
      reader.piece();
      for (let at = reader.from; at < reader.to; at++) added.warnings.push(readWarning(reader.bytes[at]));
    } else throw unusual;
  }
  return added;
}

function readWarning(byte: number | undefined): AddWarning {
  switch (byte) {
    case AddWarning.UNSPECIFIED:
    case AddWarning.NO_WORKER_FOR_TYPE:
      return byte;
    case undefined:
    default:
      throw unusual;
  }
}

function readPollTasksResponse(bytes: Uint8Array): PollTasksResponse {
  const reader = new WireReader(bytes);
  const deliveries = new DispatchedBytes(bytes);
  const response: PollTasksResponse = {
    $typeName: "tq.v1.PollTasksResponse",
    tasks: [],
    answerStatuses: [],
    registrationsWanted: false,
    drainRequested: false,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case pollTasksResponseTags.tasks:
        reader.piece();
        response.tasks.push(deliveries.read(reader.from, reader.to));
        break;
      case pollTasksResponseTags.answerStatuses:
        response.answerStatuses.push(readStatus(reader));
        break;
      case pollTasksResponseTags.registrationsWanted:
        response.registrationsWanted = readBool(reader);
        break;
      case pollTasksResponseTags.drainRequested:
        response.drainRequested = readBool(reader);
        break;
      default:
        throw unusual;
    }
  }
  return response;
}

function readRespondTasksResponse(bytes: Uint8Array): RespondTasksResponse {
  const reader = new WireReader(bytes);
  const statuses: AnswerStatus[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== respondTasksResponseTags.statuses) throw unusual;
    statuses.push(readStatus(reader));
  }
  return { $typeName: "tq.v1.RespondTasksResponse", statuses };
}

/** A status that is the next field. One with an error is the library's to read. */
function readStatus(reader: WireReader): AnswerStatus {
  reader.piece();
  const { from, to, end } = reader;
  reader.at = from;
  reader.end = to;
  const hasResult = reader.tag() === answerStatusTags.result;
  const result = hasResult ? reader.uint32() : 0;
  const isPlain = hasResult && reader.at === to;
  reader.at = to;
  reader.end = end;
  if (isPlain) return { $typeName: "tq.v1.AnswerStatus", result };
  return messageOf(AnswerStatusSchema, reader.viewOf(from, to));
}

function readBool(reader: WireReader): boolean {
  return reader.number() !== 0;
}
