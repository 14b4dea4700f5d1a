import { expect, test } from "vitest";
import { processorTimeIn, stolenShare } from "./stolen.ts";

const stat = "cpu  100 20 30 4000 500 6 7 80 9 10\ncpu0 50 10 15 2000 250 3 3 40 4 5\nctxt 123\n";

test("what ran and what the host took are read from the line of all processors", () => {
  expect(processorTimeIn(stat)).toEqual({ busy: 163, stolen: 80 });
});

test("nothing is told where there is no such file, or the kernel does not count what is stolen", () => {
  expect(processorTimeIn("")).toBeUndefined();
  expect(processorTimeIn("cpu  100 20 30 4000 500\n")).toBeUndefined();
});

test("the share is of what was asked for since, idle time left out", () => {
  expect(stolenShare({ busy: 100, stolen: 10 }, { busy: 190, stolen: 20 })).toBe(0.1);
  expect(stolenShare({ busy: 100, stolen: 10 }, { busy: 100, stolen: 10 })).toBe(0);
  expect(stolenShare(undefined, { busy: 100, stolen: 10 })).toBeUndefined();
});
