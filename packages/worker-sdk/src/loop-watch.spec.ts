import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { LoopWatch } from "./loop-watch.ts";

test("an event loop that stands still is reported once, and once more when it goes on", async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const heldUp: number[] = [];
  let looks = 0;
  const beganAtMs = clock.now();
  const watch = new LoopWatch({
    clock,
    blockedAfterMs: 2_000,
    heldUpAfterMs: 1_950,
    onLook: () => void looks++,
    onHeldUp: () => void heldUp.push(clock.now() - beganAtMs),
    onBlocked: (forMs) => said.push(`blocked ${forMs}`),
    onUnblocked: (forMs) => said.push(`unblocked ${forMs}`),
  });
  watch.start();
  for (let n = 0; n < 10; n++) {
    await clock.advance(1_900);
    watch.pulse();
  }
  expect(said).toEqual([]);
  expect(heldUp).toEqual([]);
  await clock.advance(60_000);
  expect(said).toEqual(["blocked 2000"]);
  expect(watch.silentMs).toBe(60_000);
  // At each look.
  expect(heldUp.length).toBe(117);
  expect(looks).toBe((60_000 + 10 * 1_900) / 500);
  watch.pulse();
  watch.pulse();
  expect(said).toEqual(["blocked 2000", "unblocked 60000"]);
  await clock.advance(2_000);
  expect(said.length).toBe(3);
  watch.stop();
  expect(clock.pending).toBe(0);
});
