import type { Priority } from "@tq/matching-core";
import type { TaskRow } from "./task-row.ts";

/** A cancel that was asked for and not answered yet. */
export interface CancelAsked {
  readonly reason: string;
  readonly at: number;
}

/** A started task: all that is needed to answer, expire or return it without reading its row. */
export interface Started {
  readonly seq: number;
  readonly leaseNo: number;
  readonly leaseMs: number;
  readonly startedAt: number;
  readonly workerId: string;
  readonly pollId: string;
  /** Where it was dispatched from, and since when it was ready. */
  readonly pass: number;
  readonly place: number;
  readonly since: number;
  readonly namespaceId: number;
  readonly queueId: number;
  readonly type: string;
  readonly priority: Priority;
  readonly key: string;
  readonly weight: number;
  readonly startToCloseMs: number | null;
  readonly heartbeatMs: number | undefined;
  /** When the task as a whole times out; undefined: never. */
  readonly closeAt: number | undefined;
  cancel: CancelAsked | undefined;
  heartbeatAt: number;
  /** Whether a heartbeat had details, which are in its note. */
  hasDetails: boolean;
  /** Not ended by its own timeouts before then, after a start of the server. 0 if it was leased since. */
  readonly graceUntil: number;
  /** When its lease ends unless it is renewed. */
  leaseUntil: number;
  /** What it stands in, as long as it is started. */
  delivery: Delivery | undefined;
  /** Its row as it was dispatched, if that was in this run of the server. Rows do not change while they are started. */
  readonly row: TaskRow | undefined;
}

/** A row of the table of deliveries, in memory: tasks that one poll was granted together. */
export interface Delivery {
  /** Lease number of its first task. */
  readonly id: number;
  /** Those that have ended are still in it, until the row is written anew. */
  tasks: Started[];
  /** How many of them are started. */
  left: number;
  isWritten: boolean;
  /** When the first of its tasks may be over. Not moved as leases are renewed: it is looked at again then. */
  dueAt: number;
}

/** Those of its tasks that are started. */
export function startedOf(delivery: Delivery): Started[] {
  return delivery.tasks.filter((task) => task.delivery === delivery);
}

/** When this attempt ends by time, whatever the lease. */
export function attemptUntil(task: Started): number {
  const byStart = task.startToCloseMs === null ? Infinity : task.startedAt + task.startToCloseMs;
  const byHeartbeat = task.heartbeatMs === undefined ? Infinity : task.heartbeatAt + task.heartbeatMs;
  // While the server was away, the worker could neither answer nor send a heartbeat.
  return Math.max(task.graceUntil, Math.min(byStart, byHeartbeat));
}

/**
 * When the task as a whole times out. One that did while the server was away gets its grace, too: its worker may have been
 * done in time and unable to say so.
 */
export function taskUntil({ closeAt, graceUntil }: Started): number {
  return closeAt === undefined ? Infinity : Math.max(graceUntil, closeAt);
}

/** When it is over, one way or the other, unless something is heard of it. */
export function endOf(task: Started): number {
  return Math.min(task.leaseUntil, attemptUntil(task), taskUntil(task));
}
