import { describe, expect, it } from "vitest";
import { countWords, factsOf, outlineOf } from "./text.ts";

describe("the text of a file", () => {
  it("is hashed", () => {
    expect(factsOf(Buffer.from("abc"))).toEqual({
      bytes: 3,
      sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    });
  });

  it.each<[string, string, { level: number; text: string }[], string[]]>([
    [
      "headings of all levels",
      "# A\n###### B ##\n#no\n   ## C",
      [
        { level: 1, text: "A" },
        { level: 6, text: "B" },
        { level: 2, text: "C" },
      ],
      [],
    ],
    [
      "links of all forms, each once",
      "[a](b.md 'title') ![i](<c.png>) <http://x/y> see https://x/z. [a](b.md)",
      [],
      ["b.md", "c.png", "http://x/y", "https://x/z"],
    ],
    ["nothing in code", "```\n# A\n[a](b)\n~~~\n```\n# C", [{ level: 1, text: "C" }], []],
    ["nothing in nothing", "", [], []],
  ])("has %s", (_, text, headings, links) => {
    expect(outlineOf(Buffer.from(text))).toEqual({ headings, links });
  });

  it.each([
    ["", 0],
    ["one", 1],
    ["It's a well-known fact: 3.5 – très bien!", 8],
  ])("%j has words: %i", (text, words) => {
    expect(countWords(Buffer.from(text))).toBe(words);
  });
});
