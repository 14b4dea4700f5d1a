/* A task past a deadline is never dispatched, and one whose delay or back-off is not over neither. */
import { commitsOf, runName, type History } from "../history.ts";

/** Finds dispatches that came too late, or too early. */
export function deadlines(history: History): string[] {
  const wrong: string[] = [];
  const dueAt = new Map<number, number>();
  for (const { grants, now, open } of commitsOf(history)) {
    for (const { task } of grants) {
      const { scheduleToCloseAt, lease } = task;
      if (scheduleToCloseAt !== undefined && now >= scheduleToCloseAt) {
        wrong.push(`${runName(task)} was dispatched at ${now}, after its schedule-to-close at ${scheduleToCloseAt}`);
      }
      const due = dueAt.get(lease.seq);
      if (due !== undefined && now < due) wrong.push(`${runName(task)} was dispatched at ${now}, before ${due}`);
    }
    for (const { seq, dueAt: due } of open) {
      if (due === undefined) dueAt.delete(seq);
      else dueAt.set(seq, due);
    }
  }
  return wrong;
}
