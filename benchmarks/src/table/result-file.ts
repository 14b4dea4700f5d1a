import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Provenance } from "../machine/machine.ts";
import type { Comparable, Measured } from "./rounds.ts";

/** A result as it is kept. */
export type Result = Provenance & Measured;

/** A result that was kept, maybe before rounds and seconds were. */
export type KeptResult = Provenance & Comparable;

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
