import { describe, expect, it } from "vitest";
import { holdMs } from "./holding.ts";

describe("holdMs", () => {
  it.each([
    ["keeps what is asked for", 5_000, undefined, 0, 5_000],
    ["cuts at a minute", 3_600_000, undefined, 0, 60_000],
    ["takes up to a sixth off", 60_000, undefined, 0.999_999, 50_000],
    ["keeps short waits to the letter", 999, undefined, 0.9, 999],
    ["ends a second before the caller's deadline", 60_000, 10_000, 0, 9_000],
    ["does not wait where the deadline is near", 60_000, 800, 0, 0],
    ["does not wait where the deadline is over", 60_000, -5, 0, 0],
    ["does not wait where nothing is asked for", 0, 10_000, 0.5, 0],
  ])("%s", (_what, askedMs, deadlineMs, random, expected) => {
    expect(holdMs(askedMs, deadlineMs, random)).toBe(expected);
  });
});
