import { styleText } from "node:util";
import type { TextStream } from "../dependencies.ts";

/** What colours mean here. */
export type Tone = "heading" | "faint" | "good" | "bad" | "warning";

/** Gives text a colour, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

const formats = { heading: "bold", faint: "dim", good: "green", bad: "red", warning: "yellow" } as const;

/** Colours on a terminal, unless `NO_COLOR` is set (to anything but nothing: no-color.org) or the terminal has none. */
export function paintFor(stream: TextStream, env: Readonly<Record<string, string | undefined>>): Paint {
  const isColored = stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return isColored ? (tone, text) => styleText(formats[tone], text, { validateStream: false }) : (_tone, text) => text;
}
