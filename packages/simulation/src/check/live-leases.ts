/* Which leases are live, and until when each was promised, as follows from what the store was asked for. */
import { attemptGraceUntil, type LeaseRef } from "@tq/matching-core";
import type { DispatchedTask } from "@tq/storage";
import { leaseName, type CommitEntry, type Entry, type Grant, type History } from "../history.ts";

/** A lease that was granted and has not ended. */
export interface LiveLease {
  readonly task: DispatchedTask;
  readonly workerId: string;
  readonly pollId: string;
  /** Unless it is answered, returned or revoked, it does not end before. */
  promisedUntil: number;
  /** After a start, no timeout of its own ends an attempt before. */
  graceUntil: number;
  heartbeatAt: number;
  /** From when on its worker has its time for confirming it. */
  confirmFrom: number;
}

/** When an attempt ends by time, at the earliest: its lease is over, or one of its own limits. */
export function endsAt({ task, promisedUntil, graceUntil, heartbeatAt }: LiveLease): number {
  const { startToCloseMs = Infinity, heartbeatMs = Infinity } = task.timeouts;
  const attempt = Math.min(task.startedAt + startToCloseMs, heartbeatAt + heartbeatMs);
  return Math.min(promisedUntil, Math.max(graceUntil, attempt));
}

/** What a commit did to the leases. */
export interface LeaseChange {
  readonly commit: CommitEntry;
  /** Those that were live before it. By name. */
  readonly before: ReadonlyMap<string, LiveLease>;
  /** Those of them that it ended. */
  readonly ended: readonly LiveLease[];
  readonly granted: readonly Grant[];
}

/** Goes through a history, commit by commit. */
export function* leaseChanges(history: History): Iterable<LeaseChange> {
  const live = new LiveLeases();
  for (const entry of history) {
    const change = live.follow(entry);
    if (change !== undefined) yield change;
  }
}

/** The leases that are live, as a history goes on. */
export class LiveLeases {
  readonly #live = new Map<string, LiveLease>();

  /** Takes an entry in. Answers what a commit did; undefined for any other entry. */
  follow(entry: Entry): LeaseChange | undefined {
    const live = this.#live;
    if (entry.kind === "opened") {
      for (const lease of live.values()) {
        lease.graceUntil = attemptGraceUntil(lease.task.leaseMs, entry.now);
        // Renewals are not written, and neither is their time: the new server's may be a little before the old one's.
        lease.promisedUntil = entry.now + lease.task.leaseMs;
        // Nor could the worker send a heartbeat meanwhile.
        lease.heartbeatAt = entry.now;
        lease.confirmFrom = entry.now;
      }
    }
    if (entry.kind !== "commit") return undefined;
    const before = new Map(live);
    renew(entry, live);
    const held = new Set(
      entry.open.flatMap(({ seq, started }) => (started ? [leaseName({ seq, leaseNo: started.leaseNo })] : [])),
    );
    const ended = [...before].filter(([name]) => !held.has(name)).map(([, lease]) => lease);
    for (const { task } of ended) live.delete(leaseName(task.lease));
    for (const { task, workerId, pollId } of entry.grants) {
      const promisedUntil = entry.now + task.leaseMs;
      live.set(leaseName(task.lease), {
        task,
        workerId,
        pollId,
        promisedUntil,
        graceUntil: 0,
        heartbeatAt: entry.now,
        confirmFrom: entry.now,
      });
    }
    return { commit: entry, before, ended, granted: entry.grants };
  }
}

function renew(commit: CommitEntry, live: ReadonlyMap<string, LiveLease>): void {
  commit.operations.forEach((operation, i) => {
    const result = commit.results[i];
    if (result?.verb === "repoll") {
      for (const { lease: ref } of result.tasks) {
        const lease = live.get(leaseName(ref));
        if (lease !== undefined) lease.confirmFrom = commit.now;
      }
    }
    if (operation.verb !== "renew" || result?.verb !== "renew") return;
    const lost = new Set(result.lost.map(leaseName));
    const current = (ref: LeaseRef): LiveLease | undefined =>
      lost.has(leaseName(ref)) ? undefined : live.get(leaseName(ref));
    for (const ref of operation.leases) {
      const lease = current(ref);
      if (lease !== undefined) lease.promisedUntil = Math.max(lease.promisedUntil, commit.now + lease.task.leaseMs);
    }
    for (const { lease: ref } of operation.heartbeats) {
      const lease = current(ref);
      if (lease !== undefined) lease.heartbeatAt = commit.now;
    }
  });
}
