/*
 * One lease at a time, and each for as long as it was promised: none ends by time before one full length from its grant,
 * from its last renewal, and from the last start of a server. Lease numbers are never used again.
 */
import type { ChangeTasksOperation, ReturnOperation } from "@tq/storage";
import { leaseName, queueName, runName, type CommitEntry, type History } from "../history.ts";
import { confirmWithinOf } from "./confirmations.ts";
import { endsAt, leaseChanges, type LiveLease } from "./live-leases.ts";

/** Finds leases that ended too early, or beside another one of their task. */
export function leases(history: History): string[] {
  const wrong: string[] = [];
  const numbers = new Set<number>();
  const confirmWithin = confirmWithinOf(history);
  for (const { commit, before, ended, granted } of leaseChanges(history)) {
    const gone = new Set(ended.map(({ task }) => leaseName(task.lease)));
    for (const lease of ended) {
      if (!hasCause(commit, lease, confirmWithin.get(lease.workerId))) {
        const { task, workerId } = lease;
        wrong.push(
          `${workerId} lost ${runName(task)} of ${queueName(task.queue)} at ${commit.now}, which it had until ${endsAt(lease)}`,
        );
      }
    }
    for (const { task, workerId } of granted) {
      const { seq, leaseNo } = task.lease;
      if (numbers.has(leaseNo)) wrong.push(`lease number ${leaseNo} was given twice, at last to ${workerId}`);
      numbers.add(leaseNo);
      const other = [...before.values()].find(
        (lease) => lease.task.lease.seq === seq && !gone.has(leaseName(lease.task.lease)),
      );
      if (other !== undefined) wrong.push(`${workerId} got ${runName(task)} while ${other.workerId} had it`);
    }
  }
  return wrong;
}

/** Whether something in the commit may end this lease: its answer, its return, somebody who takes it, or its time. */
function hasCause(commit: CommitEntry, lease: LiveLease, confirmWithinMs: number | undefined): boolean {
  const { task } = lease;
  const name = leaseName(task.lease);
  return commit.operations.some((operation, i) => {
    const result = commit.results[i];
    switch (operation.verb) {
      case "answer":
        return (
          result?.verb === "answer" &&
          "statuses" in result &&
          operation.answers.some(
            (answer, at) => leaseName(answer.lease) === name && result.statuses[at]?.status === "accepted",
          )
        );
      case "return":
        return (
          operation.leases.some((ref) => leaseName(ref) === name) &&
          mayReturn(operation, commit, lease, confirmWithinMs)
        );
      case "cancel":
        return operation.force && operation.ids.includes(task.id);
      case "change-tasks":
        return takesLeases(operation);
      case "expire":
        return commit.now >= Math.min(endsAt(lease), task.scheduleToCloseAt ?? Infinity);
      case "add":
      case "renew":
      case "confirm":
      case "repoll":
      case "promote":
      case "sweep":
      case "fall-back":
      case "configure":
      case "pause":
      case "resume":
      case "drain":
      case "delete-queue":
      case "drain-worker":
      case "note":
      case "create-namespace":
        return false;
    }
  });
}

/** What was not confirmed goes back once its time is over, and not before; a worker that asked for none keeps it. */
function mayReturn(
  { why }: ReturnOperation,
  { now }: CommitEntry,
  { confirmFrom }: LiveLease,
  confirmWithinMs: number | undefined,
): boolean {
  return why === "undelivered" || (confirmWithinMs !== undefined && now >= confirmFrom + confirmWithinMs);
}

function takesLeases({ change, dryRun }: ChangeTasksOperation): boolean {
  return !dryRun && (change.kind === "purge" || change.kind === "release");
}
