import type { Paint } from "./color.ts";
import { displayWidth } from "./printable.ts";

/** A named value of one line or several; one without lines is left out. */
export type Field = readonly [name: string, value: string | readonly string[] | undefined];

/** Names and values, one below the other, the values aligned. What stands in them must be printable. */
export function fieldLines(fields: readonly Field[], paint: Paint): string[] {
  const shown = fields.flatMap(([name, value]) => {
    const lines = value === undefined ? [] : typeof value === "string" ? [value] : value;
    return lines.length === 0 ? [] : [{ name, lines }];
  });
  const width = Math.max(0, ...shown.map(({ name }) => displayWidth(name)));
  return shown.flatMap(({ name, lines }) =>
    lines.map((line, index) => {
      const label = index === 0 ? name : "";
      return `${paint("faint", label)}${" ".repeat(width - displayWidth(label))}  ${line}`.trimEnd();
    }),
  );
}
