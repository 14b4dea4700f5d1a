import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deadlineBucketMs, Deadlines } from "./deadlines.ts";

describe("deadlines", () => {
  it("gives out what is due, and nothing before", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("a", 1_050);
    deadlines.set("b", 1_020);
    deadlines.set("c", 2_000);
    expect(deadlines.takeDue(1_019)).toEqual([]);
    expect(deadlines.takeDue(1_020)).toEqual(["b"]);
    expect(deadlines.takeDue(1_999)).toEqual(["a"]);
    expect(deadlines.size).toBe(1);
    expect(deadlines.takeDue(2_000)).toEqual(["c"]);
    expect(deadlines.next()).toBeUndefined();
  });

  it("moves an item, within its bucket or out of it", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("a", 1_000);
    deadlines.set("a", 1_080);
    expect(deadlines.takeDue(1_079)).toEqual([]);
    deadlines.set("a", 500);
    expect(deadlines.size).toBe(1);
    expect(deadlines.takeDue(500)).toEqual(["a"]);
    expect(deadlines.takeDue(2_000)).toEqual([]);
  });

  it("keeps what is over the limit for the next time", () => {
    const deadlines = new Deadlines<number>();
    for (let i = 0; i < 5; i++) deadlines.set(i, 100 * i);
    expect(deadlines.takeDue(1_000, 2)).toEqual([0, 1]);
    expect(deadlines.takeDue(1_000, 2)).toEqual([2, 3]);
    expect(deadlines.takeDue(1_000)).toEqual([4]);
  });

  it("wants to be looked at when everything of its first bucket is due", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("a", 1_001);
    deadlines.set("b", 1_099);
    expect(deadlines.next()).toBe(1_100);
    expect(deadlines.takeDue(1_100)).toHaveLength(2);
  });

  it("with buckets of 1 ms, wants to be looked at on the very ms", () => {
    const deadlines = new Deadlines<string>(1);
    deadlines.set("a", 1_001);
    deadlines.set("b", 1_003);
    expect(deadlines.next()).toBe(1_001);
    expect(deadlines.takeDue(1_000)).toEqual([]);
    expect(deadlines.takeDue(1_001)).toEqual(["a"]);
    expect(deadlines.next()).toBe(1_003);
    expect([deadlines.has("a"), deadlines.has("b")]).toEqual([false, true]);
  });

  it("keeps its order while others come and go behind one that stays", () => {
    // Enough of them that it lists its buckets anew: their numbers must not pile up.
    const deadlines = new Deadlines<string>();
    deadlines.set("stays", 0);
    deadlines.set("last", 5_000_000);
    for (let i = 0; i < 10_000; i++) {
      deadlines.set("comes and goes", 1_000 + (i % 977) * deadlineBucketMs);
      deadlines.delete("comes and goes");
    }
    deadlines.set("middle", 2_000_000);
    expect(deadlines.takeDue(10_000_000)).toEqual(["stays", "middle", "last"]);
  });

  it("agrees with a plain list", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("set" as const), item: fc.nat(12), at: fc.nat(2_000) }),
      fc.record({ kind: fc.constant("delete" as const), item: fc.nat(12) }),
      fc.record({ kind: fc.constant("take" as const), now: fc.nat(2_000), limit: fc.integer({ min: 1, max: 5 }) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const deadlines = new Deadlines<number>();
      const plain = new Map<number, number>();
      for (const one of steps) {
        if (one.kind === "set") {
          deadlines.set(one.item, one.at);
          plain.set(one.item, one.at);
        } else if (one.kind === "delete") {
          deadlines.delete(one.item);
          plain.delete(one.item);
        } else {
          const due = [...plain].filter(([, at]) => at <= one.now).map(([item]) => item);
          const taken = deadlines.takeDue(one.now, one.limit);
          expect(taken).toHaveLength(Math.min(due.length, one.limit));
          for (const item of taken) {
            expect(due).toContain(item);
            plain.delete(item);
          }
        }
        expect(deadlines.size).toBe(plain.size);
        const earliest = Math.min(...plain.values());
        const next = deadlines.next();
        if (plain.size === 0) expect(next).toBeUndefined();
        else {
          expect(next).toBeGreaterThan(earliest);
          expect(next).toBeLessThanOrEqual(earliest + deadlineBucketMs);
        }
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});
