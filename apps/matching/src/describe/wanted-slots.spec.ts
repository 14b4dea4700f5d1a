import { describe, expect, it } from "vitest";
import { wantedSlots } from "./wanted-slots.ts";

const load = (ready: number, started: number, addsPerSecond: number, dispatchesPerSecond: number) =>
  wantedSlots({ ready, started, addsPerSecond, dispatchesPerSecond });

const backlog = { ready: 300, started: 10, addsPerSecond: 5, dispatchesPerSecond: 5 };

describe("wantedSlots", () => {
  it.each([
    ["wants none for nothing", load(0, 0, 0, 0), 0],
    ["wants as many as are busy, where adds keep pace", load(0, 10, 5, 5), 10],
    ["wants twice as many where twice as much is added", load(0, 10, 10, 5), 20],
    ["wants more for a backlog, to clear it within 30 s", load(300, 10, 5, 5), 30],
    ["takes attempts for a second long where none tells", load(300, 0, 0, 0), 10],
    ["wants one for a single task", load(1, 0, 0, 0), 1],
    ["never wants more than there are tasks", load(3, 2, 0, 0.001), 5],
    ["wants none where everything that was dispatched is done", load(0, 0, 0, 5), 0],
    ["keeps what is busy while the queue is paused", wantedSlots({ ...backlog, paused: true }), 10],
    ["wants no more than may be started", wantedSlots({ ...backlog, maxStarted: 7 }), 7],
    ["wants no more than the rate allows", wantedSlots({ ...backlog, ratePerSecond: 6 }), 12],
  ])("%s", (_what, slots, expected) => {
    expect(slots).toBe(expected);
  });
});
