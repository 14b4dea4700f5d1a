import { parseArgs } from "node:util";

/** What to play. */
export interface CommandLine {
  readonly seeds: readonly number[];
  readonly steps: number;
}

/** As many as the specs play. */
export const defaultSteps = 60;

const usage = `usage: pnpm simulate --seed N [--steps M]
       pnpm simulate --seeds A-B [--steps M]`;

/** Reads the command line. Throws an error whose message says how it is used. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const options = { seed: { type: "string" }, seeds: { type: "string" }, steps: { type: "string" } } as const;
  // pnpm hands its own separator on.
  const { values } = parseArgs({ args: args.filter((arg) => arg !== "--"), options });
  const steps = values.steps === undefined ? defaultSteps : wholeNumber(values.steps);
  if (values.seed !== undefined && values.seeds === undefined) return { seeds: [wholeNumber(values.seed)], steps };
  const [, from, to] = /^(\d+)-(\d+)$/.exec(values.seeds ?? "") ?? [];
  if (values.seed !== undefined || from === undefined || to === undefined) throw new Error(usage);
  const first = wholeNumber(from);
  return { seeds: Array.from({ length: Math.max(wholeNumber(to) - first + 1, 0) }, (_, i) => first + i), steps };
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(usage);
  return Number(text);
}
