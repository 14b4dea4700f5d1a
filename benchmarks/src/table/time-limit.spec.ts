import { expect, test } from "vitest";
import { hasTimeForAnother, roundsLine } from "./time-limit.ts";

const minutes = (count: number): number => count * 60_000;

test("another round is begun if one as long as the longest so far would end within 14 minutes", () => {
  expect(hasTimeForAnother([minutes(4), minutes(5)], minutes(9))).toBe(true);
  expect(hasTimeForAnother([minutes(4), minutes(5)], minutes(9) + 1)).toBe(false);
});

test("nothing is known of the first; past 14 minutes it is not begun either", () => {
  expect(hasTimeForAnother([], minutes(1))).toBe(true);
  expect(hasTimeForAnother([], minutes(14) + 1)).toBe(false);
});

test("rounds that are missing are told, and why", () => {
  expect(roundsLine({ rounds: 3, seconds: 787.4 }, 3)).toBe("3 of 3 rounds played, in 787 s.");
  expect(roundsLine({ rounds: 2, seconds: 620 }, 3)).toBe(
    "2 of 3 rounds played, in 620 s: with another one it would have passed 14 minutes.",
  );
});
