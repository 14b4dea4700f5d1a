import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ScenarioMessage, ScenarioOrder } from "./play-scenario.ts";
import type { Point } from "./scenario.ts";

/** What became of a scenario. */
export interface Played {
  /** Those that were measured, also if it failed then. */
  readonly points: readonly Point[];
  /** Why it did not come to its end. Undefined if it did. */
  readonly failure?: string;
}

const program = fileURLToPath(new URL("play-scenario.js", import.meta.url));

/**
 * Plays a scenario in a process of its own: its memory is its own, and it can be ended, with its server, whatever it hangs
 * in. That is done once `limitMs` are over.
 */
export async function playApart(
  order: ScenarioOrder,
  limitMs: number,
  onPoint: (point: Point) => void,
): Promise<Played> {
  const points: Point[] = [];
  const child = fork(program, [JSON.stringify(order)]);
  let isDone = false;
  child.on("message", (message: ScenarioMessage) => {
    if ("isDone" in message) {
      isDone = true;
      return;
    }
    points.push(message.point);
    onPoint(message.point);
  });
  let isOverdue = false;
  const timer = setTimeout(() => {
    isOverdue = true;
    child.kill("SIGKILL");
  }, limitMs);
  await once(child, "exit");
  clearTimeout(timer);
  if (isDone) return { points };
  if (isOverdue) return { points, failure: `it took over ${Math.round(limitMs / 1_000)} s, and was ended` };
  return { points, failure: `its process ended with ${child.exitCode ?? child.signalCode}; what it said is above` };
}
