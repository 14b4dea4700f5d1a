import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parsed } from "./tq.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const commands = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block]) => block!.trim().split("\n"));

/** The words of a line, as a shell has them. */
function words(line: string): string[] {
  const withoutComment = line.replace(/\s+# .*$/, "");
  return [...withoutComment.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
}

test("the README has commands", () => {
  expect(commands.length).toBeGreaterThan(8);
});

test.each(commands)("the README's `%s` is understood", async (line) => {
  const [name, ...argv] = words(line);
  expect(name).toBe("tq");
  expect(await parsed(argv)).toBeDefined();
});
