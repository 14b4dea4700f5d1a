import { type Column, columns } from "./columns.ts";
import { isOurs, timesBetter } from "./musts.ts";
import type { MeasuredContender } from "./rounds.ts";
import { rounded } from "./rounded.ts";
import type { Spread } from "./statistics.ts";

/** What cannot be measured there, or did not end in time. */
const missing = "–";
const allColumns = Object.keys(columns) as Column[];

/** Markdown: what was measured, a row for each contender. Medians, with the smallest and largest below. */
export function measuredTable(contenders: readonly MeasuredContender[]): string {
  return table(contenders, ({ spreads }, column) => {
    const spread = spreads[column];
    return spread === undefined ? missing : `${rounded(spread.median)}${range(spread)}`;
  });
}

/** Markdown: how many times better tq is than each of the others. Over 1 is better, whichever way the column goes. */
export function ratioTable(contenders: readonly MeasuredContender[]): string {
  const ours = contenders.find(({ name }) => name === "tq")?.spreads ?? {};
  const others = contenders.filter(({ name }) => name !== "tq");
  return table(others, ({ spreads }, column) => {
    const [us, them] = [ours[column]?.median, spreads[column]?.median];
    return us === undefined || them === undefined ? missing : `${timesBetter(column, us, them).toFixed(2)} ×`;
  });
}

/** What each contender had on disk as it acknowledged. */
export function durabilityLines(contenders: readonly MeasuredContender[]): string[] {
  return contenders.map(({ name, durability }) => `- ${name}: ${durability}`);
}

function table(
  contenders: readonly MeasuredContender[],
  cell: (contender: MeasuredContender, column: Column) => string,
): string {
  const header = ["", ...allColumns.map((column) => `${columns[column].title}, ${columns[column].unit}`)];
  const rows = contenders.map((contender) => [
    isOurs(contender.name) ? `**${contender.name}**` : contender.name,
    ...allColumns.map((column) => cell(contender, column)),
  ]);
  const lines = [header, header.map(() => "---"), ...rows];
  const widths = header.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) => `| ${line.map((text, index) => text.padEnd(widths[index] ?? 0)).join(" | ")} |`)
    .join("\n");
}

function range({ min, max }: Spread): string {
  return min === max ? "" : ` (${rounded(min)}–${rounded(max)})`;
}
