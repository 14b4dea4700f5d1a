/**
 * What the engine knows of a workflow: events that came in, and what the workflow decided on each. All of it is plain
 * JSON, since it lives in a file and is read back by another process.
 */

/** Why an activity failed or a workflow ended without a result. */
export interface Failure {
  /** What kind: the error's name, or one of tq's own, such as `"StartToClose"` or `"Canceled"`. */
  readonly type: string;
  readonly message: string;
}

/** Somebody started a workflow. */
export interface Started {
  readonly kind: "started";
  readonly args: readonly unknown[];
}

/** Somebody told a workflow something. */
export interface Signaled {
  readonly kind: "signaled";
  readonly signal: string;
  readonly value?: unknown;
}

/** What happens to a workflow. `n` is the number of the command whose outcome it is. */
export type Event =
  | Started
  | Signaled
  /** An activity returned. */
  | { readonly kind: "completed"; readonly n: number; readonly result?: unknown }
  /** An activity failed for good, timed out or was canceled. */
  | { readonly kind: "failed"; readonly n: number; readonly failure: Failure }
  /** A timer is over. */
  | { readonly kind: "fired"; readonly n: number };

/** What a workflow asks for. Its task has the id `<workflow>/<n>`, so asking again adds nothing. */
export type Command =
  /** Run an activity. `options` are those of `@tq/client`'s `ActivityOptions`. */
  | {
      readonly kind: "activity";
      readonly n: number;
      readonly type: string;
      readonly args: readonly unknown[];
      readonly options: { readonly taskQueue: string };
    }
  | { readonly kind: "timer"; readonly n: number; readonly delayMs: number }
  /** Cancel the activity or timer that command `n` asked for. */
  | { readonly kind: "cancel"; readonly n: number; readonly reason: string }
  /** Start another workflow, or signal to it. */
  | {
      readonly kind: "send";
      readonly n: number;
      readonly workflow: string;
      readonly type: string;
      readonly event: Started | Signaled;
    };

/** How a workflow ended. */
export type End =
  | { readonly kind: "returned"; readonly result?: unknown }
  | { readonly kind: "threw"; readonly failure: Failure };

/** What a workflow decided on one event. */
export interface Decision {
  readonly commands: readonly Command[];
  /** Set on its last decision. */
  readonly end?: End;
}

/** One event of one workflow with the decision on it: the unit of the log, written as a whole or not at all. */
export interface HistoryRecord {
  readonly workflow: string;
  /** Which workflow function. */
  readonly type: string;
  /** Id of the workflow task that brought the event: how a second delivery is recognised. */
  readonly task: string;
  /** When the engine took it in, in milliseconds since the epoch. A workflow knows no other time. */
  readonly atMs: number;
  readonly event: Event;
  readonly decision: Decision;
}

/** The value as it will be read back: what is not JSON is lost now and not after a restart. */
export function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
