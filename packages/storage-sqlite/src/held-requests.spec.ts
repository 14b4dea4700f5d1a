import { expect, it } from "vitest";
import { HeldRequests } from "./held-requests.ts";

const mebibyte = 1_024 * 1_024;

it("holds requests of 8 MiB in all, each counted once, until they are let go of", () => {
  const held = new HeldRequests();
  const request = new ArrayBuffer(3 * mebibyte);
  for (let task = 0; task < 10; task++) expect(held.holds(request)).toBe(true);
  expect(held.holds(new ArrayBuffer(5 * mebibyte + 1))).toBe(false);
  expect(held.holds(new ArrayBuffer(5 * mebibyte))).toBe(true);
  expect(held.holds(new ArrayBuffer(1))).toBe(false);
  held.letGo();
  expect(held.holds(new ArrayBuffer(8 * mebibyte))).toBe(true);
});
