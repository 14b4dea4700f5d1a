import { type ErrorReasonName, TqError } from "@tq/client";
import { CommanderError } from "commander";

/** What to type where the server's words, which are for all clients, leave it open. */
const advice: { readonly [Reason in ErrorReasonName]?: string } = {
  NAMESPACE_NOT_FOUND: "`tq namespace ls` lists them, `tq namespace create NAME` creates one.",
  TASK_ID_TAKEN: "`--id-policy allow` uses it again.",
  TASK_QUEUE_DRAINING: "`tq queue resume NAME` lets it take adds again.",
  TASK_QUEUE_NOT_EMPTY: "`tq queue rm NAME --purge --yes` closes and removes its tasks, too.",
  REVISION_MISMATCH: "`tq queue config get NAME` shows what there is now.",
  WORKER_NOT_FOUND: "`tq worker ls` lists them.",
};

/** What the user is told of an error, in one line or several: one that commander has printed, nothing. */
export function errorText(error: unknown, isDebug: boolean): string {
  if (error instanceof CommanderError) return "";
  if (isDebug) return causes(error).map(stackOf).join("\ncaused by ");
  const text = error instanceof Error ? error.message : String(error);
  if (text === "") return "it failed without saying why; TQ_DEBUG=1 shows more";
  const more = error instanceof TqError && error.reason !== undefined ? advice[error.reason] : undefined;
  return more === undefined ? text : `${text}\n${more}`;
}

function causes(error: unknown): unknown[] {
  const found: unknown[] = [];
  for (let next: unknown = error; next !== undefined && !found.includes(next);) {
    found.push(next);
    next = next instanceof Error ? next.cause : undefined;
  }
  return found;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
