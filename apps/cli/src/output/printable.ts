const controls = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text for one line of a terminal: what others wrote (ids, types, failures) must not be able to move the cursor, turn the
 * writing direction, or break a table.
 */
export function printable(text: string): string {
  return text.replace(controls, escapeOf);
}

/** The same for text of several lines. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/).map(printable);
}

function escapeOf(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return " ";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\ufe0f|[\u{20000}-\u{3fffd}]/u;

/** Columns that printable text takes on a terminal. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Printable text cut to so many columns, with an ellipsis. */
export function truncated(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let [kept, width] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    width += displayWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}
