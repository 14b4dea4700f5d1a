import { expect, it } from "vitest";
import { earliest } from "./earliest.ts";

it("is the earliest of the moments that there are", () => {
  expect(earliest(5, undefined, 0, 3)).toBe(0);
  expect(earliest(undefined, 7)).toBe(7);
  expect([earliest(), earliest(undefined, undefined)]).toEqual([undefined, undefined]);
});
