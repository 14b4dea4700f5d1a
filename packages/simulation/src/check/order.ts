/*
 * Order as promised: priority is strict, inside a fairness key it is first in, first out, each among the tasks that the
 * poller has registered; and of a serial key one task at a time is at work, in order of adding.
 */
import { taskQueueKey } from "@tq/matching-core";
import type { TaskRecord } from "@tq/storage";
import { commitsOf, queueName, runName, type CommitEntry, type Grant, type History } from "../history.ts";
import { isBefore, Places } from "./places.ts";

/** Finds tasks that were overtaken. */
export function order(history: History): string[] {
  const wrong: string[] = [];
  const places = new Places();
  for (const commit of commitsOf(history)) {
    places.follow(commit);
    for (const grant of commit.grants) {
      wrong.push(...overtaken(grant, commit, places), ...overtakenInLine(grant, commit, places));
    }
    if (commit.grants.length > 0) wrong.push(...besideEachOther(commit));
  }
  return wrong;
}

/** Tasks that this poller could have had, and should have had before this one. */
function overtaken({ task, types }: Grant, commit: CommitEntry, places: Places): string[] {
  const place = places.placeOf(task.lease.seq);
  return waiting(commit)
    .filter((other) => sameQueue(other, task) && (types === null || types.includes(other.type)))
    .flatMap((other) => {
      if (other.priority < task.priority) {
        return [
          `${runName(task)} of priority ${task.priority} overtook ${runName(other)} of ${other.priority} at ${commit.now}`,
        ];
      }
      if (other.priority > task.priority || other.fairnessKey !== task.fairnessKey) return [];
      const otherPlace = places.placeOf(other.seq);
      if (place === undefined || otherPlace === undefined || !isBefore(otherPlace, place)) return [];
      return [
        `${runName(task)} overtook ${runName(other)} in the key "${task.fairnessKey}" of ${queueName(task.queue)} at ${commit.now}`,
      ];
    });
}

/** Ready tasks that nothing held back. */
function waiting({ open }: CommitEntry): TaskRecord[] {
  return open.filter(
    ({ state, waitsForSerialKey, keyHeldBack }) => state === "ready" && !waitsForSerialKey && keyHeldBack === undefined,
  );
}

/** Tasks that were before this one in the line of its serial key. */
function overtakenInLine({ task }: Grant, { open, now }: CommitEntry, places: Places): string[] {
  if (task.serialKey === undefined) return [];
  const line = places.lineOf(task.lease.seq);
  return open
    .filter((other) => sameQueue(other, task) && other.serialKey === task.serialKey && other.seq !== task.lease.seq)
    .filter(({ seq }) => {
      const otherLine = places.lineOf(seq);
      return line !== undefined && otherLine !== undefined && isBefore(otherLine, line);
    })
    .map(
      (other) => `${runName(task)} overtook ${runName(other)} in the serial key ${String(task.serialKey)} at ${now}`,
    );
}

/** Tasks of one serial key that are started together. */
function besideEachOther({ open, now }: CommitEntry): string[] {
  const started = new Map<string, TaskRecord>();
  const wrong: string[] = [];
  for (const task of open) {
    if (task.state !== "started" || task.serialKey === undefined) continue;
    const name = `${taskQueueKey(task.queue)} ${task.serialKey}`;
    const other = started.get(name);
    if (other !== undefined)
      wrong.push(`${runName(task)} and ${runName(other)} of ${task.serialKey} are started together at ${now}`);
    started.set(name, task);
  }
  return wrong;
}

function sameQueue(one: Pick<TaskRecord, "queue">, other: Pick<TaskRecord, "queue">): boolean {
  return taskQueueKey(one.queue) === taskQueueKey(other.queue);
}
