/** Shortest lease that a poll may ask for. */
export const minLeaseMs = 1_000;
/** Longest lease that a poll may ask for: 12 h. */
export const maxLeaseMs = 12 * 3_600_000;
/** Lease of a poll that asks for none. A killed worker's tasks come back within it, without heartbeat code in handlers. */
export const defaultLeaseMs = 30_000;

/** How often in a row a task may come back unconfirmed before it costs an attempt. A poll that never arrives is the
 * network's fault; the fourth in a row is likelier the task's. */
export const freeReturns = 3;

/** Proof of one delivery: which task, and the number of its lease. Lease numbers are never reused. */
export interface LeaseRef {
  readonly seq: number;
  readonly leaseNo: number;
}

/**
 * How long after a start the workers of the tasks that were found have for calling again before an attempt's own timeouts
 * end it: some of them may have been over while nobody could say so. Not longer than the lease.
 */
export const reconnectMs = 10_000;

/**
 * Before when no timeout of its own or of its task ends an attempt that was found in the store after a start: not longer than
 * `reconnectMs`, since a lease may be 12 h long and a heartbeat timeout is there to notice a dead worker sooner.
 */
export function attemptGraceUntil(leaseMs: number, now: number): number {
  return now + Math.min(leaseMs, reconnectMs);
}

/**
 * End of a lease that was found in the store after a start: at least one full length from now, since the worker could
 * not renew while the server was away.
 */
export function leaseUntilAfterStart(storedUntil: number, leaseMs: number, now: number): number {
  return Math.max(storedUntil, now + leaseMs);
}
