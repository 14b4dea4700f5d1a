import { describe, expect, it } from "vitest";
import type { ClosedState } from "./closing.ts";
import { completedRetentionMs, deadRetentionMs, retentionMs, type QueueRetention } from "./retention.ts";

const hour = 3_600_000;
const ofQueue: QueueRetention = { completedRetentionMs: 10, deadRetentionMs: 20 };

describe("how long a closed task is kept", () => {
  it("is an hour for one that completed, and two weeks for a dead one", () => {
    expect([completedRetentionMs, deadRetentionMs]).toEqual([hour, 14 * 24 * hour]);
  });

  // [state, what the task says, what its queue says] → ms
  it.each<[ClosedState, number | undefined, QueueRetention, number]>([
    ["completed", undefined, {}, completedRetentionMs],
    ["canceled", undefined, {}, completedRetentionMs],
    ["failed", undefined, {}, deadRetentionMs],
    ["timed-out", undefined, {}, deadRetentionMs],
    ["completed", undefined, ofQueue, 10],
    ["canceled", undefined, ofQueue, 10],
    ["failed", undefined, ofQueue, 20],
    ["timed-out", undefined, ofQueue, 20],
    ["failed", undefined, { completedRetentionMs: 10 }, deadRetentionMs],
    ["completed", undefined, { deadRetentionMs: 20 }, completedRetentionMs],
    // 0 is a wish, not the want of one.
    ["failed", 0, ofQueue, 0],
    ["completed", 0, ofQueue, 0],
    ["completed", undefined, { completedRetentionMs: 0 }, 0],
    ["timed-out", undefined, { deadRetentionMs: 0 }, 0],
    ["completed", 5, ofQueue, 5],
    ["timed-out", 5, {}, 5],
  ])("of one that is %s, with %s of its own and %j of its queue: %i ms", (state, own, queue, ms) => {
    expect(retentionMs(state, own, queue)).toBe(ms);
  });
});
