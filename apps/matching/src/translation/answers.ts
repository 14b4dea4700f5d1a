import { create, toBinary } from "@bufbuild/protobuf";
import type { LeaseRef } from "@tq/matching-core";
import {
  AnswerResult,
  FailureSchema,
  type AnswerStatus as AnswerStatusMessage,
  type Command,
  type ItemError,
  type TaskAnswer,
  type TaskCanceled,
  type TaskCompleted,
} from "@tq/proto";
import type { Answer, AnswerOperation, AnswerStatus, CommandRecord, FailureRecord } from "@tq/storage";
import type { FieldViolation } from "../errors/call-refused.ts";
import { errorTable } from "../errors/error-table.ts";
import { refusedByStore } from "../errors/store-refusal.ts";
import { bounds } from "../validation/bounds.ts";
import { limitItems } from "../validation/numbers.ts";
import { allowText } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { commandsPath, pathOfCommand, readCommand } from "./command.ts";
import { readFailure, readPayload } from "./payload.ts";
import { readRequestKey } from "./request-key.ts";
import { decodeTaskToken } from "./task-token.ts";
import type { Writable } from "./writable.ts";

/** Failure type of an attempt that gave way to a cancel request; it closes the task as a failure if there was none. */
const canceledType = "Canceled";

/** The answers of a call: those that can be carried out, and for each of the request's items where it went. */
export interface ReadAnswers {
  readonly operation: AnswerOperation;
  /** For each item of the request: its error, or undefined if it is the next one of the operation. */
  readonly refused: readonly (ItemError | undefined)[];
}

/** What a call carries of answers, whichever way they come. */
export interface AnswerBatch {
  readonly requestId: string;
  readonly count: number;
  /** Undefined, with a violation, where it is none. */
  readonly readAnswer: (index: number, reader: AnswerReader) => Answer | undefined;
  /** The commands of an answer, for errors about one of them. */
  readonly commandsOf: (index: number) => readonly Command[];
}

/** The answers of a message. */
export function answersOf(request: {
  readonly answers: readonly TaskAnswer[];
  readonly requestId: string;
}): AnswerBatch {
  const { answers, requestId } = request;
  const answerAt = (i: number): TaskAnswer => {
    const answer = answers[i];
    if (answer === undefined) throw new RangeError(`the call has no answer ${i}`);
    return answer;
  };
  return {
    requestId,
    count: answers.length,
    readAnswer: (i, reader) => readAnswer(answerAt(i), reader),
    commandsOf: (i) => commandsIn(answerAt(i)),
  };
}

/** Reads the answers of a call. One bad item never fails the others; too many of them fail the call. */
export function readAnswers(
  batch: AnswerBatch,
  namespace: string,
  call: { readonly violations: Violations; readonly makeId: () => string },
): ReadAnswers {
  const key = readRequestKey(batch.requestId, namespace, call.violations);
  const answers: Answer[] = [];
  const refused: (ItemError | undefined)[] = [];
  if (limitItems(batch.count, bounds.answersPerCall, "answers", call.violations)) {
    const reader = { namespace, violations: new Violations(), makeId: call.makeId };
    for (let i = 0; i < batch.count; i++) {
      const answer = batch.readAnswer(i, reader);
      const first = reader.violations.takeFirst();
      if (answer !== undefined && first === undefined) {
        answers.push(answer);
        refused.push(undefined);
      } else {
        refused.push(toItemError(first));
      }
    }
  }
  const operation: Writable<AnswerOperation> = { verb: "answer", namespace, answers };
  if (key !== undefined) operation.request = key;
  return { operation, refused };
}

/** Nearly all of them are it. */
const accepted: AnswerStatusMessage = { $typeName: "tq.v1.AnswerStatus", result: AnswerResult.ACCEPTED };

/** The statuses of a call's items, in the request's order, from those of the answers that were carried out. */
export function toAnswerStatuses(
  batch: Pick<AnswerBatch, "commandsOf">,
  refused: readonly (ItemError | undefined)[],
  statuses: readonly AnswerStatus[],
): AnswerStatusMessage[] {
  let next = 0;
  return refused.map((error, i) => {
    if (error !== undefined) return { $typeName: "tq.v1.AnswerStatus", result: AnswerResult.REFUSED, error };
    const status = statuses[next++];
    if (status === undefined) throw new Error("the engine gave fewer statuses than there were answers");
    return toAnswerStatus(status, batch, i);
  });
}

/** What the answers of a call have in common. */
export interface AnswerReader {
  readonly namespace: string;
  readonly violations: Violations;
  readonly makeId: () => string;
}

/** One answer, checked. Undefined, with a violation, where it is none. */
export function readAnswer(message: TaskAnswer, reader: AnswerReader): Answer | undefined {
  const { violations } = reader;
  violations.atTop();
  const lease = readToken(message.token, "token", violations);
  if (lease === undefined) return undefined;
  const { answer } = message;
  switch (answer.case) {
    case "completed":
      return readCompleted(lease, answer.value, reader);
    case "failed":
      return { lease, kind: "failed", failure: readFailure(answer.value.failure, "failed.failure", violations) };
    case "canceled":
      return { lease, kind: "canceled", failure: readCanceled(answer.value, violations) };
    case "released":
      allowText(answer.value.reason, bounds.reasonBytes, "released.reason", violations);
      return { lease, kind: "released", reason: answer.value.reason, toFallback: answer.value.toFallback };
    case undefined:
      violations.add("INVALID_FIELD", "answer", "must be one of completed, failed, canceled and released");
      return undefined;
  }
}

/** The delivery that a token proves; a violation if it is none of ours. */
export function readToken(token: Uint8Array, field: string, violations: Violations): LeaseRef | undefined {
  const lease = decodeTaskToken(token);
  if (lease === undefined) {
    violations.add("MALFORMED_TOKEN", field, "was not made by this service; send back what PollTasks gave, unchanged");
  }
  return lease;
}

function readCompleted(lease: LeaseRef, message: TaskCompleted, reader: AnswerReader): Answer {
  const { violations } = reader;
  const result = readPayload(message.result, "completed.result", violations);
  const commands: CommandRecord[] = [];
  if (limitItems(message.commands.length, bounds.commandsPerAnswer, commandsPath, violations)) {
    for (const [i, command] of message.commands.entries()) {
      const record = readCommand(command, i, reader);
      if (record !== undefined) commands.push(record);
    }
  }
  return result === undefined ? { lease, kind: "completed", commands } : { lease, kind: "completed", result, commands };
}

function readCanceled(message: TaskCanceled, violations: Violations): FailureRecord {
  readPayload(message.details, "canceled.details", violations);
  const text = "the handler gave way to a cancel request";
  const details = message.details === undefined ? [] : [message.details];
  const failure = create(FailureSchema, { type: canceledType, message: text, details });
  return { type: canceledType, message: text, nonRetryable: false, encoded: toBinary(FailureSchema, failure) };
}

function toAnswerStatus(
  status: AnswerStatus,
  batch: Pick<AnswerBatch, "commandsOf">,
  index: number,
): AnswerStatusMessage {
  switch (status.status) {
    case "accepted":
      return accepted;
    case "already-answered":
      return { $typeName: "tq.v1.AnswerStatus", result: AnswerResult.ALREADY_ANSWERED };
    case "lease-lost":
      return { $typeName: "tq.v1.AnswerStatus", result: AnswerResult.LEASE_LOST };
    case "refused": {
      const itself = pathOfCommand(undefined, status.commandIndex);
      // That there are commands at all is no fault of a field of theirs.
      const path =
        status.refused.reason === "not-a-workflow-task"
          ? itself
          : pathOfCommand(batch.commandsOf(index)[status.commandIndex]?.command, status.commandIndex);
      const cause = refusedByStore(status.refused, path);
      const error: ItemError = {
        $typeName: "tq.v1.ItemError",
        reason: "COMMAND_REFUSED",
        field: cause.fields[0]?.field ?? itself,
        message: `${errorTable.COMMAND_REFUSED.message}: command ${status.commandIndex} (${cause.reason}), ${cause.message}`,
        commandIndex: status.commandIndex,
      };
      return { $typeName: "tq.v1.AnswerStatus", result: AnswerResult.REFUSED, error };
    }
  }
}

/** The commands that an answer brings. */
export function commandsIn({ answer }: TaskAnswer): readonly Command[] {
  return answer.case === "completed" ? answer.value.commands : [];
}

const commandIndex = /^completed\.commands\[(\d+)\]/;

function toItemError(violation: FieldViolation | undefined): ItemError {
  if (violation === undefined) throw new Error("an answer was refused without a violation");
  const { reason, field, description } = violation;
  const error: ItemError = { $typeName: "tq.v1.ItemError", reason, field, message: `${field} ${description}` };
  const index = commandIndex.exec(field)?.[1];
  if (index !== undefined) error.commandIndex = Number(index);
  return error;
}
