import type { DrainInfo, PauseInfo } from "@tq/proto";
import { momentAndAge } from "./age.ts";
import { printable } from "./printable.ts";

/** Since when a queue is paused, until when, by whom and why. */
export function pauseText(pause: PauseInfo, nowMs: number): string {
  const until = pause.until === undefined ? "" : ` until ${momentAndAge(pause.until, nowMs)}`;
  return actionText(pause, `${sinceText(pause, nowMs)}${until}`);
}

/** Since when a queue drains, by whom and why. */
export function drainText(drain: DrainInfo, nowMs: number): string {
  return actionText(drain, sinceText(drain, nowMs));
}

function sinceText({ since }: Pick<PauseInfo, "since">, nowMs: number): string {
  return since === undefined ? "" : `since ${momentAndAge(since, nowMs)}`;
}

function actionText({ actor, reason }: Pick<PauseInfo, "actor" | "reason">, when: string): string {
  const by = actor === "" ? "" : `by ${printable(actor)}`;
  const because = reason === "" ? "" : `: ${printable(reason)}`;
  return [when, by].filter((part) => part !== "").join(" ") + because;
}
