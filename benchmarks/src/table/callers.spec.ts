import { setImmediate as settled } from "node:timers/promises";
import { expect, test } from "vitest";
import { callAtRate, type RateClock } from "./callers.ts";

/** Each turn is a millisecond, and takes none. */
function quickClock(): RateClock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    turn: async () => nowMs++,
  };
}

/** Calls that are answered by hand. */
function callsByHand() {
  const calls: PromiseWithResolvers<void>[] = [];
  const call = (): Promise<void> => {
    const made = Promise.withResolvers<void>();
    calls.push(made);
    return made.promise;
  };
  return { calls, call };
}

test("calls at a rate are over once the last is answered, and those that failed are counted", async () => {
  const { calls, call } = callsByHand();
  let called: unknown;
  const calling = callAtRate(2_000, 10, call, quickClock()).then((result) => (called = result));
  await settled();
  // Those that are due as the last of 10 ms begins.
  expect(calls).toHaveLength(18);
  const first = new Error("the first");
  calls[3]?.reject(first);
  await settled();
  calls[0]?.reject(new Error("the second"));
  for (const each of calls.slice(1)) if (each !== calls[9]) each.resolve();
  await settled();
  expect(called).toBeUndefined();
  calls[9]?.resolve();
  await calling;
  expect(called).toEqual({ made: 18, failed: 2, firstError: first, isWhole: true });
});

test("no more are made once half a second's worth is unanswered", async () => {
  const { calls, call } = callsByHand();
  const calling = callAtRate(100, 60_000, call, quickClock());
  await settled();
  expect(calls).toHaveLength(50);
  for (const each of calls) each.resolve();
  expect(await calling).toEqual({ made: 50, failed: 0, isWhole: false });
});

test("where each is answered soon, all are made", async () => {
  let made = 0;
  const called = await callAtRate(100, 5_000, async () => made++, quickClock());
  expect(called).toEqual({ made: 499, failed: 0, isWhole: true });
});
