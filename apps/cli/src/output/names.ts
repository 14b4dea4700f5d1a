import { CancelStatus, TaskQueueKind, type TaskQueueRef, TaskState, WaitReason } from "@tq/proto";
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

/** A queue and its kind: `demo (activity)`. */
export function queueName(queue: TaskQueueRef | undefined): string {
  return `${printable(queue?.name ?? "")} (${kindName(queue?.kind)})`;
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
