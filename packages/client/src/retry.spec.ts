import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { TqError } from "./errors.ts";
import { backoffMs, retrying } from "./retry.ts";

const retry = { initialIntervalMs: 100, maximumIntervalMs: 1_000, giveUpAfterMs: 5_000 };

function failing(times: number, parts: { code: TqError["code"]; retryAfterMs?: number }) {
  const tries: number[] = [];
  const clock = new ManualClock();
  const beganAtMs = clock.now();
  const attempt = async () => {
    tries.push(clock.now() - beganAtMs);
    if (tries.length <= times) throw new TqError({ message: "no", ...parts });
    return "yes";
  };
  return { tries, clock, attempt, context: { clock, retry, random: () => 1 } };
}

test("the wait doubles up to its maximum, and half of it is random", () => {
  expect([1, 2, 3, 4, 5, 99].map((n) => backoffMs(n, retry, () => 1))).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoffMs(1, retry, () => 0)).toBe(50);
});

test("what may go through the second time is tried again", async () => {
  const { tries, clock, attempt, context } = failing(3, { code: "unavailable" });
  const result = retrying(attempt, context);
  await clock.advance(10_000);
  await expect(result).resolves.toBe("yes");
  expect(tries).toEqual([0, 100, 300, 700]);
  expect(clock.pending).toBe(0);
});

test("what the server has refused is not", async () => {
  const { tries, attempt, context } = failing(1, { code: "failed_precondition" });
  await expect(retrying(attempt, context)).rejects.toMatchObject({ code: "failed_precondition", message: "no" });
  expect(tries).toEqual([0]);
});

test("the server's own wait is kept", async () => {
  const { tries, clock, attempt, context } = failing(1, { code: "resource_exhausted", retryAfterMs: 3_000 });
  const result = retrying(attempt, context);
  await clock.advance(3_000);
  await expect(result).resolves.toBe("yes");
  expect(tries).toEqual([0, 3_000]);
});

test("it gives up in time, and says how often it tried", async () => {
  const { tries, clock, attempt, context } = failing(99, { code: "unavailable" });
  const result = retrying(attempt, context);
  result.catch(() => {});
  await clock.advance(10_000);
  await expect(result).rejects.toMatchObject({ code: "unavailable", message: "no (Tried 8 times in 4.5 s.)" });
  expect(tries.length).toBe(8);
});

test("a signal ends the waiting", async () => {
  const { clock, attempt, context } = failing(99, { code: "unavailable" });
  const ending = new AbortController();
  const result = retrying(attempt, context, { signal: ending.signal });
  result.catch(() => {});
  await clock.advance(50);
  ending.abort();
  await expect(result).rejects.toMatchObject({ code: "canceled" });
  expect(clock.pending).toBe(0);
});
