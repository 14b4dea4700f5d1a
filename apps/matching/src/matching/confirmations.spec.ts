import type { LeaseRef } from "@tq/matching-core";
import { expect, test } from "vitest";
import { Confirmations } from "./confirmations.ts";

/** Numbers from 0 up to 1, the same ones each time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const lease = (leaseNo: number): LeaseRef => ({ seq: leaseNo + 1_000, leaseNo });

// More deliveries than are gone through one by one, and fewer.
test.each([2, 5, 100])("of %d deliveries at once, what is left is what no call has mentioned", (most) => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomFrom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const confirmations = new Confirmations();
    /** By poll: the lease numbers that were not mentioned. */
    const expected = new Map<string, Set<number>>();
    let last = 0;
    for (let step = 0; step < 400; step++) {
      const polls = [...expected.keys()];
      const poll = polls[below(polls.length)];
      if (poll === undefined || (polls.length < most && random() < 0.6)) {
        const numbers = Array.from({ length: 1 + below(5) }, () => ++last);
        expected.set(`p${step}`, new Set(numbers));
        confirmations.expect(`p${step}`, numbers.map(lease), 1_000 + last);
      } else if (random() < 0.5) {
        expected.delete(poll);
        confirmations.confirmPoll(poll);
      } else {
        // Some of them, and some that are over or were never given.
        const numbers = Array.from({ length: below(6) }, () => 1 + below(last + 3));
        for (const number of numbers) for (const left of expected.values()) left.delete(number);
        for (const [key, left] of expected) if (left.size === 0) expected.delete(key);
        confirmations.confirm(numbers.map(lease));
      }
    }
    const left = [...expected.values()].flatMap((numbers) => [...numbers]).map(lease);
    expect(confirmations.takeOverdue(Infinity).sort((a, b) => a.seq - b.seq)).toEqual(left);
    expect(confirmations.nextWake()).toBeUndefined();
  }
});

test("what a repeated poll was given counts once, if the server ended before it could forget the first answer", () => {
  const confirmations = new Confirmations();
  const found = [1, 2].map((delivery) => ({
    delivery,
    namespace: "default",
    workerId: "w",
    pollId: "p",
    confirmMs: 10,
    leases: [lease(2), lease(3)],
  }));
  confirmations.start(found, () => "p", 0);
  confirmations.confirmPoll("p");
  expect(confirmations.takeOverdue(Infinity)).toEqual([]);
});
