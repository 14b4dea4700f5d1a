/*
 * One lease at a time, and each for as long as it was promised: none ends by time before one full length from its grant,
 * from its last renewal, and from the last start of a server. Lease numbers are never used again.
 */
import type { ChangeTasksOperation } from "@tq/storage";
import { leaseName, queueName, runName, type CommitEntry, type History } from "../history.ts";
import { endsAt, leaseChanges, type LiveLease } from "./live-leases.ts";

/** Finds leases that ended too early, or beside another one of their task. */
export function leases(history: History): string[] {
  const wrong: string[] = [];
  const numbers = new Set<number>();
  for (const { commit, before, ended, granted } of leaseChanges(history)) {
    const gone = new Set(ended.map(({ task }) => leaseName(task.lease)));
    for (const lease of ended) {
      if (!hasCause(commit, lease)) {
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
function hasCause(commit: CommitEntry, lease: LiveLease): boolean {
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
        return operation.leases.some((ref) => leaseName(ref) === name);
      case "cancel":
        return operation.force && operation.ids.includes(task.id);
      case "change-tasks":
        return takesLeases(operation);
      case "expire":
        return commit.now >= Math.min(endsAt(lease), task.scheduleToCloseAt ?? Infinity);
      default:
        return false;
    }
  });
}

function takesLeases({ change, dryRun }: ChangeTasksOperation): boolean {
  return !dryRun && (change.kind === "purge" || change.kind === "release");
}
