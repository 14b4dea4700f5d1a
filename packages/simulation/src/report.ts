import { tailOf } from "./history.ts";
import type { SimulationResult } from "./simulate.ts";

/** Entries of the history that a report ends with. */
const lines = 30;

/** Of a run that went wrong: how it can be played again, what came before, and what is wrong. */
export function report({ seed, history, violations }: SimulationResult, steps: number): string {
  return [
    `seed ${seed} went wrong. Play it again with:`,
    `  pnpm simulate --seed ${seed} --steps ${steps}`,
    `The end of its history (${history.length} entries):`,
    tailOf(history, lines),
    "What is wrong:",
    ...violations.map((violation) => `- ${violation}`),
  ].join("\n");
}
