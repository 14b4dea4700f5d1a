import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNumberRows, writeNumberRows } from "./number-rows.ts";

const columns = [0, 1, 2].map((i) => (row: readonly number[]) => row[i] ?? 0);
const roundTrip = (rows: readonly (readonly number[])[]) =>
  readNumberRows(writeNumberRows(rows, columns), columns.length);

const number = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.maxSafeNat(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
);
const row = fc.tuple(number, number, number);
/** Rows by steps, which floating-point numbers do not always come out of exactly. */
const stepped = fc
  .tuple(row, row, fc.nat(200))
  .map(([first, steps, count]) =>
    Array.from({ length: count }, (_, i) => first.map((value, column) => value + i * (steps[column] ?? 0))),
  )
  .filter((rows) => rows.flat().every(Number.isFinite));
const summed = fc.tuple(row, row, fc.nat(50)).map(([first, steps, count]) => {
  const rows = [first as number[]];
  for (let i = 0; i < count; i++) rows.push((rows.at(-1) ?? []).map((value, column) => value + (steps[column] ?? 0)));
  return rows.filter((values) => values.every(Number.isFinite));
});

describe("rows of numbers", () => {
  it("are read as they were written", () => {
    const part = fc.oneof(fc.array(row, { maxLength: 5 }), stepped, summed);
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const rows = parts.flat();
        expect(roundTrip(rows)).toEqual(rows);
      }),
    );
  });

  it("take the room of one as long as they go on by the same steps", () => {
    const rows = Array.from({ length: 128 }, (_, i) => [1_000_000 + i, 5_000_000 + 2 * i, 1_700_000_000_000]);
    const text = writeNumberRows(rows, columns);
    expect(text).toBe("[[128,1000000,5000000,1700000000000,1,2,0]]");
    expect(readNumberRows(text, 3)).toEqual(rows);
  });

  it("are begun anew where the steps end", () => {
    const rows = [
      [1, 1, 1],
      [2, 1, 1],
      [3, 1, 1],
      [9, 1, 1],
    ];
    const text = writeNumberRows(rows, columns);
    expect(text).toBe("[[3,1,1,1,1,0,0],[1,9,1,1]]");
    expect(readNumberRows(text, 3)).toEqual(rows);
  });

  it("are none for none", () => {
    expect(writeNumberRows([], columns)).toBe("[]");
    expect(readNumberRows("[]", 3)).toEqual([]);
  });
});
