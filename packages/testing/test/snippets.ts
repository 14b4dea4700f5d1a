// The code blocks of a document, and the modules that they make together.
//
//     ```ts              a module of its own
//     ```ts continued    goes on from the block before it, in a scope of its own
//     ```ts run          run to its end; where it says `console.log(x); // text`, it prints `text`
//     ```ts serve        run in the background of the `run` blocks of its document
//     ```ts excerpt F    stands so in the file F, beside the document
//
// A block that begins with a line `// name.ts` can be imported as "./name.ts" by the others. What a reader need not see stands
// before its block as `<!-- ts … -->`, to be compiled with it; `<!-- ts serve … -->` and `<!-- ts module … -->` are modules of
// their own.

/** What is done with a block beyond compiling it. */
export type SnippetUse = "compile" | "run" | "serve";

/** A module that the blocks of a document make. */
export interface SnippetModule {
  /** Its file, in a folder of the document's own. */
  readonly file: string;
  /** Where its first block begins in the document, from 1. */
  readonly line: number;
  readonly use: SnippetUse;
  readonly code: string;
  /** What it prints, by its own account. */
  readonly output: readonly string[];
}

/** A block that stands so in another file. */
export interface Excerpt {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

/** What the blocks of a document come to. */
export interface Snippets {
  readonly modules: readonly SnippetModule[];
  readonly excerpts: readonly Excerpt[];
}

interface Block {
  readonly line: number;
  readonly isShown: boolean;
  readonly words: readonly string[];
  readonly hidden: string;
  readonly code: string;
}

const knownWords = new Set(["continued", "run", "serve", "module"]);

/** The TypeScript blocks of a document, in order; of hidden ones only those that are modules of their own. */
function blocksOf(markdown: string): Block[] {
  const hiddenBlock = /^<!-- ts(?<hiddenWords>[^\n]*)\n(?<hiddenCode>.*?)^-->$/;
  const shownBlock = /^(?<indent> *)```ts(?<words>[^\n]*)\n(?<code>.*?)^ *```$/;
  const either = new RegExp(`${hiddenBlock.source}|${shownBlock.source}`, "gms");
  const blocks: Block[] = [];
  let hidden = "";
  for (const { index, groups = {} } of markdown.matchAll(either)) {
    const line = markdown.slice(0, index).split("\n").length;
    const { hiddenCode, hiddenWords = "", words = "", code = "", indent = "" } = groups;
    if (hiddenCode !== undefined && hiddenWords === "") {
      hidden += hiddenCode;
    } else if (hiddenCode === undefined) {
      blocks.push({
        line,
        isShown: true,
        words: wordsOf(words),
        hidden,
        code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      });
      hidden = "";
    } else {
      blocks.push({ line, isShown: false, words: wordsOf(hiddenWords), hidden: "", code: hiddenCode });
    }
  }
  return blocks;
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** A part of a module: what is hidden of it, and what is shown. */
interface Part {
  readonly hidden: string;
  readonly code: string;
}

/** Imports go to the top of a module, each once; what continues it stands in a scope of its own. */
function moduleOf(parts: readonly Part[]): string {
  const imports = new Set<string>();
  const withoutImports = (text: string): string =>
    text.replaceAll(/^import\b[^;]*;\n/gm, (line) => {
      imports.add(line);
      return "";
    });
  const hidden = parts.map((part) => withoutImports(part.hidden));
  const [first = "", ...others] = parts.map((part) => withoutImports(part.code));
  return [...imports, ...hidden, first, ...others.map((code) => `{\n${code}}\n`), "export {};\n"].join("");
}

/**
 * What the blocks of a document come to.
 *
 * @throws Error naming the line of a block that says something unknown of itself.
 */
export function snippetsOf(markdown: string): Snippets {
  const excerpts: Excerpt[] = [];
  const made: { isShown: boolean; file: string; line: number; use: SnippetUse; parts: Part[] }[] = [];
  for (const { line, words, isShown, hidden, code } of blocksOf(markdown)) {
    const [first, second, ...more] = words;
    if (first === "excerpt" && second !== undefined && more.length === 0) {
      excerpts.push({ file: second, line, code });
      continue;
    }
    const isKnown = words.length <= 1 && (first === undefined || knownWords.has(first));
    if (!isKnown) throw new Error(`line ${line}: a block cannot be "ts ${words.join(" ")}"`);
    if (first === "continued") {
      const before = made.findLast(({ isShown }) => isShown);
      if (before === undefined) throw new Error(`line ${line}: there is no block that this one continues`);
      before.parts.push({ hidden, code });
      continue;
    }
    const file = /^\/\/ ([\w-]+\.ts)\n/.exec(code)?.[1] ?? `line-${line}.ts`;
    made.push({
      isShown,
      file,
      line,
      use: first === "run" || first === "serve" ? first : "compile",
      parts: [{ hidden, code }],
    });
  }
  const modules = made.map(({ file, line, use, parts }) => {
    return { file, line, use, code: moduleOf(parts), output: outputOf(parts) };
  });
  return { modules, excerpts };
}

/** What a module says that it prints: what stands behind its `console.log`. */
function outputOf(parts: readonly Part[]): string[] {
  return parts.flatMap(({ code }) =>
    [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text ?? ""),
  );
}
