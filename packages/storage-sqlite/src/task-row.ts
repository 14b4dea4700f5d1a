import type { ClosedState, Priority } from "@tq/matching-core";

/** A row of the task table, without its larger columns. */
export interface TaskRow {
  readonly seq: number;
  readonly namespace: number;
  readonly id: string;
  readonly run: number;
  readonly queue: number;
  readonly type: string;
  readonly priority: Priority;
  readonly key: string;
  readonly weight: number;
  readonly serial_key: string | null;
  readonly serial_place: number | null;
  readonly pass: number | null;
  readonly place: number | null;
  readonly added_at: number;
  readonly due_at: number | null;
  readonly start_to_close_ms: number | null;
  readonly attempts: number;
  readonly returns: number;
  readonly answered: number | null;
  readonly state: ClosedState | null;
  readonly closed_at: number | null;
  readonly kept_until: number | null;
  readonly headers: string | null;
  readonly options: Buffer | null;
  readonly history: Buffer | null;
  readonly heartbeat: Buffer | null;
  readonly closed_task: Buffer | null;
}

/** A row with everything. */
export interface FullTaskRow extends TaskRow {
  readonly outcome: Buffer | null;
  /** These two are emptied once they have been handed on, so that a started task does not hold them in memory. */
  input: Buffer;
  closed_task: Buffer | null;
}

/** The columns that filters ask of, but for failures: short ones, so that many rows can be held at once. */
export type TaskSketch = Pick<TaskRow, (typeof sketchColumns)[number]>;

/** The columns of a {@link TaskSketch}. */
export const sketchColumns = [
  "seq",
  "namespace",
  "id",
  "queue",
  "type",
  "priority",
  "key",
  "serial_key",
  "added_at",
  "due_at",
  "state",
  "closed_at",
] as const;

/** The columns of a {@link TaskRow}. */
export const rowColumns = `seq, namespace, id, run, queue, type, priority, key, weight, serial_key, serial_place, pass, place,
  added_at, due_at, start_to_close_ms, attempts, returns, answered, state, closed_at, kept_until, headers, options, history,
  heartbeat, closed_task`;

/** The columns of a {@link FullTaskRow}. */
export const fullColumns = `${rowColumns}, outcome, input`;
