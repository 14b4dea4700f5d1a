import { taskQueueKey, type TaskQueue } from "@tq/matching-core";
import { expect, test } from "vitest";
import { Rates } from "./rates.ts";

const queue: TaskQueue = { namespace: "default", name: "q", kind: "activity" };
const key = taskQueueKey(queue);

/** Per second over 30 s. */
function rates(adds: number, dispatches: number) {
  return {
    addsPerSecond: expect.closeTo(adds / 30) as unknown,
    dispatchesPerSecond: expect.closeTo(dispatches / 30) as unknown,
  };
}

test("adds and dispatches are told apart, and seconds in which nothing happened count for nothing", () => {
  const all = new Rates();
  all.added(key, 3, 1_000);
  all.dispatched(key, 2, 1_999);
  all.added(key, 4, 1_999);
  all.dispatched(key, 5, 20_000);
  expect(all.of(queue, 20_500)).toEqual(rates(7, 7));
  // The first second has gone, the other has not.
  expect(all.of(queue, 30_999)).toEqual(rates(7, 7));
  expect(all.of(queue, 31_000)).toEqual(rates(0, 5));
  expect(all.of(queue, 49_999)).toEqual(rates(0, 5));
  expect(all.of(queue, 50_000)).toEqual(rates(0, 0));
});

test("a queue that is busy for long counts its last 30 s, and takes no more room for it", () => {
  const all = new Rates();
  for (let second = 0; second < 200; second++) {
    all.added(key, 1, 1_000 * second + 10);
    all.added(key, second, 1_000 * second + 990);
    all.dispatched(key, 2, 1_000 * second + 990);
  }
  // Of the seconds 170 to 199.
  const adds = 30 + (30 * (170 + 199)) / 2;
  expect(all.of(queue, 199_999)).toEqual(rates(adds, 60));
  all.forgetQuiet(199_999);
  expect(all.size).toBe(1);
  all.forgetQuiet(231_000);
  expect(all.size).toBe(0);
});

test("queues that have been quiet for so long are forgotten, and no others", () => {
  const all = new Rates();
  for (let i = 0; i < 10_000; i++) all.added(taskQueueKey({ ...queue, name: `q${i}` }), 1, i);
  all.dispatched(taskQueueKey({ ...queue, name: "q0" }), 1, 20_000);
  all.forgetQuiet(41_000);
  expect(all.size).toBe(1);
  expect(all.nextWake()).toBeLessThanOrEqual(52_000);
  all.forgetQuiet(52_000);
  expect([all.size, all.nextWake()]).toEqual([0, undefined]);
});
