import { defaultRetryPolicy, type ClosedState, type TaskQueueKind } from "@tq/matching-core";
import type {
  ClosedTaskRecord,
  FailedAttemptRecord,
  FailureRecord,
  FallbackRecord,
  OnCloseRecord,
  OutcomeRecord,
  TimeoutsRecord,
} from "@tq/storage";
import type { Priority, RetryPolicy } from "@tq/matching-core";
import { frame, unframe } from "./frame.ts";

/* What the framed columns of a task hold, and how they are read back. */

/** What a task says beyond the columns of its own. Absent fields have their defaults. */
export interface TaskOptions {
  readonly retryPolicy: RetryPolicy;
  readonly timeouts: TimeoutsRecord;
  readonly fallback?: FallbackRecord;
  readonly onClose?: OnCloseRecord;
  readonly retentionMs?: number;
}

interface OptionsJson {
  retry?: RetryPolicy;
  toStart?: number;
  toClose?: number;
  beat?: number;
  fallback?: { queueName: string; type?: string };
  close?: {
    queueName: string;
    type: string;
    serialKey?: string;
    priority?: Priority;
    headers?: Readonly<Record<string, string>>;
  };
  keep?: number;
}

/** The options column; null if there is nothing but the defaults of its kind, which is most tasks. */
export function writeOptions(task: TaskOptions, kind: TaskQueueKind): Buffer | null {
  const json: OptionsJson = {};
  const { scheduleToStartMs, scheduleToCloseMs, heartbeatMs } = task.timeouts;
  if (task.retryPolicy !== defaultRetryPolicy(kind)) json.retry = task.retryPolicy;
  if (scheduleToStartMs !== undefined) json.toStart = scheduleToStartMs;
  if (scheduleToCloseMs !== undefined) json.toClose = scheduleToCloseMs;
  if (heartbeatMs !== undefined) json.beat = heartbeatMs;
  if (task.retentionMs !== undefined) json.keep = task.retentionMs;
  if (task.fallback !== undefined) {
    const { queueName, type } = task.fallback;
    json.fallback = { queueName, ...(type !== undefined && { type }) };
  }
  if (task.onClose !== undefined) {
    const { context: _, ...rest } = task.onClose;
    json.close = rest;
  }
  // Every key is set only where it says something.
  for (const _ in json) return frame(json, [task.fallback?.input, task.onClose?.context]);
  return null;
}

/** Tasks that say nothing of their own mostly come one after the other, with the same timeout: what they have in common. */
let lastPlain:
  | { readonly kind: TaskQueueKind; readonly startToCloseMs: number | null; readonly options: TaskOptions }
  | undefined;

/** Reads the options column. */
export function readOptions(column: Buffer | null, kind: TaskQueueKind, startToCloseMs: number | null): TaskOptions {
  if (column === null) {
    if (lastPlain?.kind !== kind || lastPlain.startToCloseMs !== startToCloseMs) {
      const options = { retryPolicy: defaultRetryPolicy(kind), timeouts: ownTimeouts(startToCloseMs) };
      lastPlain = { kind, startToCloseMs, options };
    }
    return lastPlain.options;
  }
  const own = ownTimeouts(startToCloseMs);
  const { value: json, blobs } = unframe<OptionsJson>(column);
  const [fallbackInput, context] = blobs;
  return {
    retryPolicy: json.retry ?? defaultRetryPolicy(kind),
    timeouts: {
      ...own,
      ...(json.toStart !== undefined && { scheduleToStartMs: json.toStart }),
      ...(json.toClose !== undefined && { scheduleToCloseMs: json.toClose }),
      ...(json.beat !== undefined && { heartbeatMs: json.beat }),
    },
    ...(json.fallback && { fallback: { ...json.fallback, ...(fallbackInput && { input: fallbackInput }) } }),
    ...(json.close && { onClose: { ...json.close, ...(context && { context }) } }),
    ...(json.keep !== undefined && { retentionMs: json.keep }),
  };
}

interface FailureJson {
  type: string;
  message: string;
  final: boolean;
  delay?: number;
}

function failureJson(failure: FailureRecord): FailureJson {
  return {
    type: failure.type,
    message: failure.message,
    final: failure.nonRetryable,
    ...(failure.nextRetryDelayMs !== undefined && { delay: failure.nextRetryDelayMs }),
  };
}

function readFailure(json: FailureJson, encoded: Uint8Array | undefined): FailureRecord {
  return {
    type: json.type,
    message: json.message,
    nonRetryable: json.final,
    ...(json.delay !== undefined && { nextRetryDelayMs: json.delay }),
    encoded: encoded ?? new Uint8Array(),
  };
}

interface OutcomeJson {
  failure?: FailureJson;
}

/** The outcome column; null where state and time say it all. */
export function writeOutcome(outcome: OutcomeRecord): Buffer | null {
  const { failure, result, heartbeatDetails } = outcome;
  if (failure === undefined && result === undefined && heartbeatDetails === undefined) return null;
  const json: OutcomeJson = failure ? { failure: failureJson(failure) } : {};
  return frame(json, [result, failure?.encoded, heartbeatDetails]);
}

/** Reads the outcome column of a closed task. */
export function readOutcome(column: Buffer | null, state: ClosedState, closedAt: number): OutcomeRecord {
  if (column === null) return { state, closedAt };
  const { value: json, blobs } = unframe<OutcomeJson>(column);
  const [result, failure, heartbeatDetails] = blobs;
  return {
    state,
    closedAt,
    ...(result && { result }),
    ...(json.failure && { failure: readFailure(json.failure, failure) }),
    ...(heartbeatDetails && { heartbeatDetails }),
  };
}

interface ClosedTaskJson extends OutcomeJson {
  id: string;
  run: number;
  type: string;
  queueName: string;
  queueKind: TaskQueueKind;
  attempts: number;
  state: ClosedState;
  closedAt: number;
}

/** The closed_task column of a workflow task that is added on close. */
export function writeClosedTask(closed: ClosedTaskRecord): Buffer {
  const { outcome, context, ...rest } = closed;
  const { state, closedAt, failure, result, heartbeatDetails } = outcome;
  const json: ClosedTaskJson = { ...rest, state, closedAt, ...(failure && { failure: failureJson(failure) }) };
  return frame(json, [result, failure?.encoded, heartbeatDetails, context]);
}

/** Reads the closed_task column. */
export function readClosedTask(column: Buffer): ClosedTaskRecord {
  const { value: json, blobs } = unframe<ClosedTaskJson>(column);
  const [result, failure, heartbeatDetails, context] = blobs;
  const { id, run, type, queueName, queueKind, attempts, state, closedAt } = json;
  return {
    id,
    run,
    type,
    queueName,
    queueKind,
    attempts,
    outcome: {
      state,
      closedAt,
      ...(result && { result }),
      ...(json.failure && { failure: readFailure(json.failure, failure) }),
      ...(heartbeatDetails && { heartbeatDetails }),
    },
    ...(context && { context }),
  };
}

type HistoryJson = (FailureJson & {
  run: number;
  attempt: number;
  workerId: string;
  startedAt: number;
  failedAt: number;
})[];

/** The history column: the failed attempts that are kept, oldest first. */
export function writeHistory(history: readonly FailedAttemptRecord[]): Buffer {
  const json: HistoryJson = history.map(({ failure, ...rest }) => ({ ...rest, ...failureJson(failure) }));
  return frame(
    json,
    history.map((attempt) => attempt.failure.encoded),
  );
}

/** Reads the history column. */
export function readHistory(column: Buffer | null): readonly FailedAttemptRecord[] {
  if (column === null) return [];
  const { value, blobs } = unframe<HistoryJson>(column);
  return value.map(({ run, attempt, workerId, startedAt, failedAt, ...failure }, i) => ({
    run,
    attempt,
    workerId,
    startedAt,
    failedAt,
    failure: readFailure(failure, blobs[i]),
  }));
}

function ownTimeouts(startToCloseMs: number | null): TimeoutsRecord {
  return startToCloseMs === null ? {} : { startToCloseMs };
}
