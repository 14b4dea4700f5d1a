import type { TaskState } from "@tq/matching-core";
import { TaskState as TaskStateMessage } from "@tq/proto";

const toMessage: Readonly<Record<TaskState, TaskStateMessage>> = {
  scheduled: TaskStateMessage.SCHEDULED,
  ready: TaskStateMessage.READY,
  started: TaskStateMessage.STARTED,
  completed: TaskStateMessage.COMPLETED,
  failed: TaskStateMessage.FAILED,
  "timed-out": TaskStateMessage.TIMED_OUT,
  canceled: TaskStateMessage.CANCELED,
};

const fromMessage = new Map((Object.keys(toMessage) as TaskState[]).map((state) => [toMessage[state], state] as const));

/** A state as a message. */
export function toStateMessage(state: TaskState): TaskStateMessage {
  return toMessage[state];
}

/** The state that an enum names; undefined if it is unspecified or unknown. */
export function stateOf(state: TaskStateMessage): TaskState | undefined {
  return fromMessage.get(state);
}
