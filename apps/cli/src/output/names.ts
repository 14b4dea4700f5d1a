import { create } from "@bufbuild/protobuf";
import { CancelStatus, TaskQueueKind, type TaskQueueRef, TaskQueueRefSchema, TaskState, WaitReason } from "@tq/proto";
import { printable } from "./printable.ts";
import type { Tone } from "./color.ts";

/** The name of a kind, as in `--kind`. */
export function kindName(kind: TaskQueueKind | undefined): string {
  switch (kind) {
    case TaskQueueKind.ACTIVITY:
      return "activity";
    case TaskQueueKind.WORKFLOW:
      return "workflow";
    case TaskQueueKind.UNSPECIFIED:
    case undefined:
      return "unknown kind";
  }
}

/** The contract's number of a kind; unset is either. */
export function kindNumber(kind: "activity" | "workflow" | undefined): TaskQueueKind {
  if (kind === undefined) return TaskQueueKind.UNSPECIFIED;
  return kind === "workflow" ? TaskQueueKind.WORKFLOW : TaskQueueKind.ACTIVITY;
}

/** The contract's name of a queue; without a kind, of both kinds under its name. */
export function queueRef(name: string, kind: "activity" | "workflow" | undefined): TaskQueueRef {
  return create(TaskQueueRefSchema, { name, kind: kindNumber(kind) });
}

/** A queue and its kind: `demo (activity)`. */
export function queueName(queue: TaskQueueRef | undefined): string {
  return `${printable(queue?.name ?? "")} (${kindName(queue?.kind)})`;
}

/** A queue as it was typed: `demo (activity)`, or without a kind, `demo`, which is both. */
export function queueText(name: string, kind: "activity" | "workflow" | undefined): string {
  return kind === undefined ? printable(name) : `${printable(name)} (${kind})`;
}

/** The name of a state. A newer server may have one that is not known here. */
export function stateName(state: TaskState): string {
  return TaskState[state] ?? String(state);
}

/** How a state looks. */
export function stateTone(state: TaskState): Tone {
  switch (state) {
    case TaskState.COMPLETED:
      return "good";
    case TaskState.FAILED:
    case TaskState.TIMED_OUT:
      return "bad";
    case TaskState.STARTED:
      return "heading";
    case TaskState.CANCELED:
    case TaskState.SCHEDULED:
    case TaskState.READY:
    case TaskState.UNSPECIFIED:
      return "warning";
  }
}

/** The name of a reason why tasks wait. */
export function reasonName(reason: WaitReason): string {
  return WaitReason[reason] ?? String(reason);
}

/** The name of what a cancel did. */
export function cancelStatusName(status: CancelStatus): string {
  return CancelStatus[status] ?? String(status);
}
