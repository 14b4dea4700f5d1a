import { describe, expect, it } from "vitest";
import { FallbackWatch, unservedMs } from "./fallback-watch.ts";
import { taskQueueKey } from "./task-queue.ts";

const queue = (name: string) => ({ namespace: "default", name, kind: "activity" as const });
const q = queue("q");
const started = 1_000_000;
const moment = started + unservedMs;

function watchFrom(now = started): FallbackWatch {
  const watch = new FallbackWatch();
  watch.start(now);
  return watch;
}

describe("the fallback watch", () => {
  it("gives workers 10 s from the start to make themselves known", () => {
    const watch = watchFrom();
    watch.ready(q, started);
    expect(watch.takeDue(moment - 1, 9)).toEqual([]);
    expect(watch.nextWake()).toBeGreaterThanOrEqual(moment);
    expect(watch.nextWake()).toBeLessThanOrEqual(moment + 100);
    expect(watch.takeDue(moment, 9)).toEqual([q]);
    expect([watch.size, watch.nextWake()]).toEqual([0, undefined]);
  });

  it("lets what becomes ready in a queue that nobody has served for long go at once", () => {
    const watch = watchFrom();
    watch.ready(q, moment + 5);
    expect(watch.takeDue(moment + 5, 9)).toEqual([q]);
  });

  it("counts from the moment at which the last worker was lost", () => {
    const watch = watchFrom();
    const lost = moment + 60_000;
    watch.unserved(q, lost);
    watch.ready(q, lost + 3_000);
    expect(watch.takeDue(lost + unservedMs - 1, 9)).toEqual([]);
    expect(watch.takeDue(lost + unservedMs, 9)).toEqual([q]);
  });

  it("looks at a queue that lost its last worker though no task has become ready since", () => {
    const watch = watchFrom();
    watch.unserved(q, moment);
    expect(watch.takeDue(moment + unservedMs, 9)).toEqual([q]);
  });

  it("forgets a queue that is served in time, and counts anew when it is not any more", () => {
    const watch = watchFrom();
    watch.ready(q, started);
    watch.served(taskQueueKey(q));
    expect([watch.size, watch.nextWake()]).toEqual([0, undefined]);
    watch.unserved(q, moment - 1);
    expect(watch.takeDue(moment - 1 + unservedMs - 1, 9)).toEqual([]);
    expect(watch.takeDue(moment - 1 + unservedMs, 9)).toEqual([q]);
  });

  it("hands out no more than asked for, and goes on with those that are left", () => {
    const watch = watchFrom();
    for (const name of ["a", "b", "c"]) watch.ready(queue(name), started);
    expect(watch.takeDue(moment, 2)).toHaveLength(2);
    expect(watch.takeDue(moment, 2)).toHaveLength(1);
    watch.ready(queue("a"), moment + 1);
    expect(watch.takeDue(moment + 1, 2)).toEqual([queue("a")]);
  });

  it("holds nothing of ten thousand queues that came and went", () => {
    const watch = watchFrom();
    for (let i = 0; i < 10_000; i++) {
      watch.served(taskQueueKey(queue(`q${i}`)));
      watch.unserved(queue(`q${i}`), started + i);
    }
    expect(watch.size).toBe(10_000);
    expect(watch.takeDue(started + 10_000 + unservedMs, Infinity)).toHaveLength(10_000);
    expect([watch.size, watch.nextWake()]).toEqual([0, undefined]);
  });
});
