import type { Paint, Tone } from "./color.ts";
import { displayWidth, printable, truncated } from "./printable.ts";

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Default `left`. */
  readonly align?: "left" | "right";
}

/** What stands in a cell; nothing is shown as `-`. */
export type Cell = string | number | bigint | undefined | { readonly text: string; readonly tone: Tone };

/** How a table is shown. */
export interface TableStyle {
  readonly paint: Paint;
  /** The last column is cut so that a line has no more than so many columns. Unset: nothing is cut. */
  readonly width?: number | undefined;
}

const gap = "  ";
/** Below it, cutting the last column helps nobody. */
const narrowestLastColumn = 20;

/** Aligned lines, which may come in several parts: columns keep the widths that they have had. */
export class Table {
  readonly #columns: readonly Column[];
  readonly #style: TableStyle;
  readonly #widths: number[];
  #isBegun = false;

  constructor(columns: readonly Column[], style: TableStyle) {
    this.#columns = columns;
    this.#style = style;
    this.#widths = columns.map(({ title }) => title.length);
  }

  /** The lines of some rows, after the titles if they are the first. */
  lines(rows: readonly (readonly Cell[])[]): string[] {
    const cells = rows.map((row) => row.map(shown));
    for (const row of cells) {
      for (const [index, { text }] of row.entries()) {
        this.#widths[index] = Math.max(this.#widths[index] ?? 0, displayWidth(text));
      }
    }
    const titles = this.#columns.map(({ title }) => ({ text: title, tone: "heading" as const }));
    const all = this.#isBegun ? cells : [titles, ...cells];
    this.#isBegun = true;
    return all.map((row) => this.#line(row));
  }

  #line(row: readonly ShownCell[]): string {
    const { paint, width } = this.#style;
    let used = 0;
    const parts = row.map(({ text, tone }, index) => {
      const columnWidth = this.#widths[index] ?? 0;
      const isLast = index === this.#columns.length - 1;
      const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(narrowestLastColumn, width - used);
      const fitting = isLast ? truncated(text, room) : text;
      const padding = " ".repeat(Math.max(0, columnWidth - displayWidth(fitting)));
      const painted = tone === undefined ? fitting : paint(tone, fitting);
      used += columnWidth + gap.length;
      if (this.#columns[index]?.align === "right") return padding + painted;
      return isLast ? painted : painted + padding;
    });
    return parts.join(gap);
  }
}

interface ShownCell {
  readonly text: string;
  readonly tone?: Tone;
}

function shown(cell: Cell): ShownCell {
  if (cell === undefined || cell === "") return { text: "-", tone: "faint" };
  if (typeof cell === "object") return { text: printable(cell.text), tone: cell.tone };
  return { text: printable(String(cell)) };
}
