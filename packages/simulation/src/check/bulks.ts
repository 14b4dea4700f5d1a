/*
 * A bulk call that is broken off and made again with its request id goes on where it was, whoever makes it: it never counts
 * anew, never goes beyond its limit, and does nothing more once it is done.
 */
import { isDeepStrictEqual } from "node:util";
import type { BulkProgressRecord } from "@tq/storage";
import { commitsOf, type History } from "../history.ts";
import { keptMs } from "./repeats.ts";

interface SoFar {
  readonly at: number;
  readonly progress: BulkProgressRecord;
  readonly isDone: boolean;
}

/** Finds bulk calls that counted anew, went too far, or did something again. */
export function bulks(history: History): string[] {
  const wrong: string[] = [];
  const calls = new Map<string, SoFar>();
  for (const { now, operations, results } of commitsOf(history)) {
    operations.forEach((operation, i) => {
      const result = results[i];
      if (operation.verb !== "change-tasks" || operation.dryRun || operation.request === undefined) return;
      if (result?.verb !== "change-tasks" || "refused" in result) return;
      const { id } = operation.request;
      const { progress, next } = result;
      const { limit = Infinity } = operation;
      if (progress.changed > limit) wrong.push(`${id} may change ${limit}, and changed ${progress.changed} at ${now}`);
      const before = calls.get(id);
      if (before !== undefined && now - before.at < keptMs) {
        const told = `${id} had come to ${JSON.stringify(before.progress)}, and came to ${JSON.stringify(progress)} at ${now}`;
        if (before.isDone && !isDeepStrictEqual(progress, before.progress)) wrong.push(`${told}, after its end`);
        else if (progress.examined < before.progress.examined || progress.changed < before.progress.changed)
          wrong.push(told);
      }
      if (before?.isDone !== true) calls.set(id, { at: now, progress, isDone: next === undefined });
    });
  }
  return wrong;
}
