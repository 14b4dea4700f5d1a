/* Attempts are counted: each delivery is the next attempt or the same one again, and none is beyond the last. */
import { commitsOf, runName, type History } from "../history.ts";

/** Finds attempts that were left out, counted twice, or too many. */
export function attempts(history: History): string[] {
  const wrong: string[] = [];
  const last = new Map<number, { readonly run: number; readonly attempt: number }>();
  for (const { grants } of commitsOf(history)) {
    for (const { task } of grants) {
      const { attempt, run, lease, retryPolicy } = task;
      const before = last.get(lease.seq);
      const highest = before?.run === run ? before.attempt + 1 : 1;
      const lowest = before?.run === run ? before.attempt : 1;
      if (attempt < lowest || attempt > highest)
        wrong.push(`${runName(task)} was dispatched for attempt ${attempt} after ${lowest}`);
      const { maximumAttempts } = retryPolicy;
      if (maximumAttempts > 0 && attempt > maximumAttempts)
        wrong.push(`${runName(task)} has ${maximumAttempts} attempts, and was dispatched for attempt ${attempt}`);
      last.set(lease.seq, { run, attempt });
    }
  }
  return wrong;
}
