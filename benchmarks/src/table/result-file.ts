import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Provenance } from "../machine/machine.ts";
import type { Comparable, Measured } from "./rounds.ts";

/** A result as it is kept. */
export interface Result extends Provenance, Measured {
  /** How often the warm-up was played before what counts. Default 1. */
  readonly warmUps?: number;
}

/** A result that was kept, maybe before rounds and seconds were. */
export type KeptResult = Provenance & Comparable;

/** With fewer a single disturbed run decides the median. */
export const fewestRoundsKept = 3;

/** Why a result is none to compare later ones with. Undefined if it is one. */
export function whyNotKept({ rounds, contenders }: Pick<Measured, "rounds" | "contenders">): string | undefined {
  const failed = Math.max(0, ...contenders.map(({ failures }) => failures.length));
  if (rounds - failed >= fewestRoundsKept) return undefined;
  return `${rounds} rounds were played, of which ${failed} failed: a result is kept of ${fewestRoundsKept} or more that did not`;
}

/** Where a result of that name is kept. dist/table is two folders below the package. */
export function resultFile(name: string): string {
  return fileURLToPath(new URL(`../../results/${name}.json`, import.meta.url));
}

/** Undefined if there is none. */
export function readResult(file: string): KeptResult | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as KeptResult) : undefined;
}

/** Numbers are kept to four digits: more are noise. */
export function writeResult(file: string, result: Result): void {
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(file, `${JSON.stringify(result, short, 2)}\n`);
}
