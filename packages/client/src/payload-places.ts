// Where payloads stand in the contract's messages: the one list that codecs go by.

import type {
  ClosedTask,
  Command,
  DispatchedTask,
  Failure,
  Fallback,
  NewTask,
  OnClose,
  Outcome,
  Payload,
  Task,
  TaskAnswer,
} from "@tq/proto";

/** A place in a message where a payload stands, and how to put another one there. */
export interface PayloadPlace {
  readonly payload: Payload;
  replace(payload: Payload): void;
}

/** The places of a list. */
function* inList(list: Payload[]): Generator<PayloadPlace> {
  for (const [index, payload] of list.entries()) {
    yield {
      payload,
      replace: (other) => {
        list[index] = other;
      },
    };
  }
}

/** The place of a single field, if it is set. */
function* inField<Name extends string>(
  message: { [Key in Name]?: Payload | undefined },
  name: Name,
): Generator<PayloadPlace> {
  const payload = message[name];
  if (payload === undefined) return;
  yield {
    payload,
    replace: (other) => {
      message[name] = other;
    },
  };
}

/** Of a task to add. */
export function* placesOfNewTask(task: NewTask): Generator<PayloadPlace> {
  yield* inList(task.input);
  yield* placesOfFallback(task.fallback);
  yield* placesOfOnClose(task.onClose);
}

function* placesOfFallback(fallback: Fallback | undefined): Generator<PayloadPlace> {
  if (fallback !== undefined) yield* inList(fallback.input);
}

function* placesOfOnClose(onClose: OnClose | undefined): Generator<PayloadPlace> {
  if (onClose !== undefined) yield* inField(onClose, "context");
}

/** Of a failure and all its causes. */
function* placesOfFailure(failure: Failure | undefined): Generator<PayloadPlace> {
  for (let next = failure; next !== undefined; next = next.cause) {
    yield* inList(next.details);
    yield* inField(next, "encodedAttributes");
  }
}

function* placesOfOutcome(outcome: Outcome | undefined): Generator<PayloadPlace> {
  if (outcome === undefined) return;
  yield* inField(outcome, "result");
  yield* placesOfFailure(outcome.failure);
  yield* inField(outcome, "heartbeatDetails");
}

function* placesOfClosedTask(closed: ClosedTask | undefined): Generator<PayloadPlace> {
  if (closed === undefined) return;
  yield* placesOfOutcome(closed.outcome);
  yield* inField(closed, "context");
}

/** Of a task as it is read. */
export function* placesOfTask(task: Task): Generator<PayloadPlace> {
  yield* inList(task.input);
  yield* placesOfFallback(task.fallback);
  yield* placesOfOnClose(task.onClose);
  yield* placesOfOutcome(task.outcome);
  for (const { failure } of task.failedAttempts) yield* placesOfFailure(failure);
  yield* placesOfClosedTask(task.closedTask);
}

/** Of a delivery. */
export function* placesOfDispatchedTask(task: DispatchedTask): Generator<PayloadPlace> {
  yield* inList(task.input);
  yield* inField(task, "heartbeatDetails");
  yield* placesOfFailure(task.lastFailure);
  yield* placesOfClosedTask(task.closedTask);
}

function* placesOfCommand({ command }: Command): Generator<PayloadPlace> {
  switch (command.case) {
    case "addTask":
    case "scheduleActivityTask":
      if (command.value.task !== undefined) yield* placesOfNewTask(command.value.task);
      return;
    case "startTimer":
      yield* inList(command.value.input);
      return;
    case "cancelTask":
    case undefined:
  }
}

/** Of an answer to an attempt. */
export function* placesOfAnswer({ answer }: TaskAnswer): Generator<PayloadPlace> {
  switch (answer.case) {
    case "completed":
      yield* inField(answer.value, "result");
      for (const command of answer.value.commands) yield* placesOfCommand(command);
      return;
    case "failed":
      yield* placesOfFailure(answer.value.failure);
      return;
    case "canceled":
      yield* inField(answer.value, "details");
      return;
    case "released":
    case undefined:
  }
}
