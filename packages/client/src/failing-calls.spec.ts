import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { FailingCalls } from "./failing-calls.ts";

test("the first call that fails begins it, and the last that does no longer ends it, with how long it took", async () => {
  const clock = new ManualClock();
  const failing = new FailingCalls(clock);
  expect([failing.isAway, failing.over("a")]).toEqual([false, undefined]);
  expect([failing.failed("a"), failing.failed("a"), failing.isAway]).toEqual([true, false, true]);
  await clock.advance(1_000);
  expect(failing.failed("b")).toBe(false);
  await clock.advance(1_440);
  expect([failing.over("a"), failing.over("a"), failing.isAway]).toEqual([undefined, undefined, true]);
  expect([failing.over("b"), failing.isAway]).toEqual([2.4, false]);
  await clock.advance(1_000);
  expect([failing.failed("a"), failing.over("a")]).toEqual([true, 0]);
});
