/* An answer stays under its limit, with fewer tasks if need be: one alone may be larger than a poll takes. */
import { commitsOf, type Grant, type History } from "../history.ts";
import { maxReplyBytes } from "../server-process.ts";

/** Finds grants and answers that are too large. */
export function replySizes(history: History): string[] {
  const wrong: string[] = [];
  for (const { now, grants } of commitsOf(history)) {
    const byOffer = new Map<number, Grant[]>();
    for (const grant of grants) {
      const others = byOffer.get(grant.offer);
      if (others === undefined) byOffer.set(grant.offer, [grant]);
      else others.push(grant);
    }
    for (const granted of byOffer.values()) {
      const [{ workerId, maxBytes } = { workerId: "", maxBytes: Infinity }] = granted;
      const bytes = granted.reduce((sum, { task }) => sum + task.input.length, 0);
      if (granted.length > 1 && bytes > maxBytes)
        wrong.push(`${workerId} takes ${maxBytes} bytes and was given ${granted.length} tasks of ${bytes} at ${now}`);
    }
  }
  for (const entry of history) {
    if (entry.kind !== "reply" || entry.outcome.kind !== "ok" || entry.outcome.reply.method !== "poll") continue;
    const bytes = entry.outcome.reply.tasks.reduce((sum, task) => sum + task.bytes, 0);
    if (bytes > maxReplyBytes) wrong.push(`an answer of ${bytes} bytes went to ${entry.request.method}`);
  }
  return wrong;
}
