import { expect, test } from "vitest";
import { Table } from "./table.ts";

const plain = (_tone: string, text: string) => text;
const columns = [{ title: "NAME" }, { title: "N", align: "right" as const }, { title: "NOTE" }];

test("aligns text left and numbers right, and shows nothing as -", () => {
  const table = new Table(columns, { paint: plain });
  expect(
    table.lines([
      ["a", 5, "first"],
      ["longer", 12n, undefined],
      ["", 0, ""],
    ]),
  ).toEqual(["NAME     N  NOTE", "a        5  first", "longer  12  -", "-        0  -"]);
});

test("keeps the widths of earlier rows, and prints the titles once", () => {
  const table = new Table(columns, { paint: plain });
  table.lines([["longer", 1, "x"]]);
  expect(table.lines([["a", 2, "y"]])).toEqual(["a       2  y"]);
});

test("counts wide characters as two columns, and combining ones as none", () => {
  const lines = new Table(columns, { paint: plain }).lines([
    ["日本", 1, "x"],
    ["e\u0301", 1, "x"],
    ["👩‍👩‍👧", 1, "x"],
  ]);
  expect(lines.slice(1)).toEqual(["日本  1  x", "e\u0301     1  x", "👩‍👩‍👧    1  x"]);
});

test("cuts the last column to the width of the terminal, and colours outside of the padding", () => {
  const table = new Table(columns, { paint: (tone, text) => `<${tone}>${text}</>`, width: 30 });
  const lines = table.lines([[{ text: "a", tone: "good" }, 1, "a note that is longer than the line is"]]);
  expect(lines[1]).toBe("<good>a</>     1  a note that is longe…");
});

test("lets no cell break the line, move the cursor or turn the writing direction", () => {
  expect(new Table([{ title: "T" }], { paint: plain }).lines([["a\nb\u001b[2J\u009b\u202ec\td"]])[1]).toBe(
    "a\\nb\\u001b[2J\\u009b\\u202ec d",
  );
});
