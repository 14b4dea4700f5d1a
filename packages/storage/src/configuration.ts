import type { RetryPolicy } from "@tq/matching-core";

/** Limits of dispatch; undefined is without limit. */
export interface LimitsRecord {
  /** Dispatches per second. Adding is never slowed. */
  readonly ratePerSecond?: number;
  /** Dispatches that may come at once after a quiet time. Undefined: the rate of one second, at least 1. */
  readonly burst?: number;
  /** Tasks started at once. */
  readonly maxStarted?: number;
}

/** What one fairness key may use of its queue. */
export interface FairnessKeyRecord extends LimitsRecord {
  /** Wins over the weight that tasks bring. */
  readonly weight?: number;
}

/** What an operator has set on a queue. A field that is absent leaves the built-in default, or what workers ask for. */
export interface TaskQueueConfig extends LimitsRecord {
  /** Grows with each change, and never comes again, not even for a queue that went and came back; 0: nothing is set. */
  readonly revision: number;
  readonly fairnessKeys: ReadonlyMap<string, FairnessKeyRecord>;
  /** For keys that are not in `fairnessKeys`. */
  readonly defaultFairnessKey?: FairnessKeyRecord;
  /** Open tasks; adds beyond are refused. Internal adds (on close, fallback, retries) never are. */
  readonly maxBacklog?: number;
  readonly completedRetentionMs?: number;
  readonly deadRetentionMs?: number;
  readonly defaultRetryPolicy?: RetryPolicy;
  /** 0 asks for none; so do the next two. */
  readonly defaultStartToCloseMs?: number;
  readonly defaultScheduleToStartMs?: number;
  readonly defaultScheduleToCloseMs?: number;
}

/** Nothing is set. */
export const noConfig: TaskQueueConfig = { revision: 0, fairnessKeys: new Map() };

/** What a change of a queue's configuration names. */
export type ConfigField = Exclude<keyof TaskQueueConfig, "revision">;

/** Dispatch is off, adds are on. */
export interface PauseRecord {
  readonly actor: string;
  readonly reason: string;
  readonly since: number;
  /** When dispatch goes on by itself; undefined: not before a resume. */
  readonly until?: number;
}

/** Adds are refused, dispatch goes on. */
export interface DrainRecord {
  readonly actor: string;
  readonly reason: string;
  readonly since: number;
}
