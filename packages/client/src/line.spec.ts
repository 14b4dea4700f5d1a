import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Line } from "./line.ts";

interface Item {
  readonly n: number;
  isOver: boolean;
}

const item = (n: number): Item => ({ n, isOver: false });

test("it is a line: first come, first out; those who gave up are passed over, those at the front go first", () => {
  const actions = fc.array(
    fc.oneof(
      fc.constant({ kind: "push" } as const),
      fc.constant({ kind: "shift" } as const),
      fc.record({ kind: fc.constant("unshift" as const), count: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constant("giveUp" as const), at: fc.nat(20) }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(actions, (script) => {
      const line = new Line<Item>();
      let expected: Item[] = [];
      let made = 0;
      for (const action of script) {
        switch (action.kind) {
          case "push": {
            const next = item(made++);
            line.push(next);
            expected.push(next);
            break;
          }
          case "unshift": {
            const items = Array.from({ length: action.count }, () => item(made++));
            line.unshift(items);
            expected = [...items, ...expected];
            break;
          }
          case "giveUp": {
            const chosen = expected[action.at];
            if (chosen === undefined) break;
            chosen.isOver = true;
            line.gaveUp();
            expected = expected.filter(({ isOver }) => !isOver);
            break;
          }
          case "shift":
            expect(line.first()).toBe(expected[0]);
            expect(line.shift()).toBe(expected.shift());
        }
      }
      while (expected.length > 0) expect(line.shift()).toBe(expected.shift());
      expect(line.shift()).toBeUndefined();
    }),
  );
});

test("neither those who left nor those who gave up are kept, whether or not the line moves", () => {
  const line = new Line<Item>();
  line.push(item(-1));
  for (let n = 0; n < 100_000; n++) {
    const next = item(n);
    line.push(next);
    next.isOver = true;
    line.gaveUp();
  }
  expect(line.places).toBeLessThan(3_000);
  for (let n = 0; n < 100_000; n++) {
    line.push(item(n));
    line.shift();
  }
  expect(line.places).toBeLessThan(3_000);
});
