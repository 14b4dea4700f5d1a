import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, describe, it } from "vitest";

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const document = read("docs/behaviours.md");

/** The rows of the document: a promise, and what shows it. */
const promises = document
  .split("\n")
  .filter((line) => line.startsWith("| ") && line !== "| promise | shown by |")
  .map((line) => {
    const [promise, shown] = line.slice(1, -1).split(" | ");
    return { promise: promise!.trim(), shown: shown!.trim().split("<br>") };
  });

const exercise = "packages/storage/src/exercise/";

/** A spec that vitest runs, or a chapter of the suite that engines are put through. */
function isRun(path: string): boolean {
  if (!path.startsWith(exercise)) return /^(packages|apps|examples)\/[^/]+\/(src|test)\/.*\.spec\.ts$/.test(path);
  return read(`${exercise}index.ts`).includes(`from "./${basename(path)}"`);
}

/** Whether a spec has this title, as a string of its own. */
function hasTitle(spec: string, title: string): boolean {
  return ['"', "`"].some((quote) => spec.includes(`${quote}${title}${quote}`));
}

describe("docs/behaviours.md", () => {
  it("has the promises, each once", () => {
    expect(promises.length).toBeGreaterThan(100);
    const names = promises.map(({ promise }) => promise);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it.each(promises)("shows by a test that there is: $promise", ({ shown }) => {
    for (const test of shown) {
      const [, path, title] = /^`([^`]+)` › (.+)$/.exec(test) ?? [];
      if (path === undefined || title === undefined) throw new Error(`"${test}" is not a file and the name of a test`);
      expect([path, existsSync(new URL(path, root)) && isRun(path)]).toEqual([path, true]);
      expect([title, hasTitle(read(path), title)]).toEqual([title, true]);
    }
  });
});
