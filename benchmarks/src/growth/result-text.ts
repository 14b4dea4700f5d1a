import type { Point } from "./scenario.ts";

/** A result as JSON, each point on a line of its own, numbers with four digits. */
export function resultText(result: object, points: readonly Point[]): string {
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  const head = JSON.stringify(result, short, 2).slice(0, -2);
  const lines = points.map((point) => `    ${JSON.stringify(point, short)}`);
  return `${head},\n  "points": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
