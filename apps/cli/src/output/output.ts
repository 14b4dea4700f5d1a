import type { TextStream } from "../dependencies.ts";
import type { OutputFormat } from "../globals.ts";
import { type Paint, paintFor } from "./color.ts";
import { type Column, type Cell, Table } from "./table.ts";

/** Where a command's data and messages go, and in what form. */
export class Output {
  readonly format: OutputFormat;
  /** Colours for stdout. */
  readonly paint: Paint;
  /** Width of the terminal; unset if stdout is none. */
  readonly width: number | undefined;
  readonly #stdout: TextStream;
  readonly #stderr: TextStream;

  constructor(
    format: OutputFormat,
    streams: { readonly stdout: TextStream; readonly stderr: TextStream },
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.format = format;
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.paint = paintFor(streams.stdout, env);
    this.width = streams.stdout.isTTY === true ? streams.stdout.columns : undefined;
  }

  /** Lines of data. */
  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#stdout.write(`${lines.join("\n")}\n`);
  }

  /** One JSON value. */
  json(value: unknown): void {
    this.#stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** JSON text as it is, for output in several parts. */
  text(text: string): void {
    this.#stdout.write(text);
  }

  /** A line for people, which is not data. */
  message(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  /** A table that fits this output. */
  table(columns: readonly Column[]): Table {
    return new Table(columns, { paint: this.paint, width: this.width });
  }

  /** A whole table, as lines. */
  tableLines(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[] {
    return this.table(columns).lines(rows);
  }
}
