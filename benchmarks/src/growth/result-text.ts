import type { Provenance } from "../machine/machine.ts";
import type { Point } from "./scenario.ts";

/** What is kept of a scenario besides its points. */
export interface GrowthResult extends Provenance {
  /** What was on disk as the server acknowledged. */
  readonly durability: string;
  readonly scale: number;
  readonly seconds: number;
  /** Why it did not come to its end. Unset if it did. */
  readonly failure?: string;
  readonly shortfalls: readonly string[];
}

/** A result as JSON, each point on a line of its own, numbers with four digits. */
export function resultText(result: GrowthResult, points: readonly Point[]): string {
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  const head = JSON.stringify(result, short, 2).slice(0, -2);
  const lines = points.map((point) => `    ${JSON.stringify(point, short)}`);
  return `${head},\n  "points": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
