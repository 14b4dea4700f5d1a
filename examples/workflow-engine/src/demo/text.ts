import { createHash } from "node:crypto";

/** What a file is, whatever is in it. */
export interface FileFacts {
  readonly bytes: number;
  readonly sha256: string;
}

/** A heading of a Markdown file. */
export interface Heading {
  /** 1 to 6. */
  readonly level: number;
  readonly text: string;
}

/** What a file is about, and where it points. */
export interface Outline {
  readonly headings: readonly Heading[];
  /** Targets, each once, in order of appearance. */
  readonly links: readonly string[];
}

/** Size and hash. */
export function factsOf(content: Buffer): FileFacts {
  return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

/** Headings that are written with `#`, and links of any form; what stands in fenced code is neither. */
export function outlineOf(content: Buffer): Outline {
  const headings: Heading[] = [];
  const links = new Set<string>();
  let fence: string | undefined;
  for (const line of content.toString("utf8").split(/\r?\n/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) === true) fence = undefined;
      continue;
    }
    if (mark !== undefined) {
      fence = mark;
      continue;
    }
    const [, level = "", text = ""] = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$/.exec(line) ?? [];
    if (level !== "") headings.push({ level: level.length, text });
    for (const [, target, bare] of line.matchAll(/\]\(\s*<?([^\s()<>]+)|(https?:\/\/[^\s()<>[\]"'`]+)/g)) {
      const link = (target ?? bare ?? "").replace(/[.,;:!?]+$/, "");
      if (link !== "") links.add(link);
    }
  }
  return { headings, links: [...links] };
}

/** Words: runs of letters, digits and what joins them. */
export function countWords(content: Buffer): number {
  return content.toString("utf8").match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
}
