import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deadlineBucketMs } from "./deadlines.ts";
import { IdleWatch } from "./idle-watch.ts";

interface Item {
  readonly name: string;
  /** Undefined: in use. */
  idleSince: number | undefined;
}

const idleMs = 1_000;

function watching() {
  let looks = 0;
  const watch = new IdleWatch<Item>(idleMs, ({ idleSince }) => {
    looks += 1;
    return idleSince;
  });
  return { watch, looks: () => looks };
}

describe("what watches for items that are idle", () => {
  it("looks at an item once in that time, however often it is used", () => {
    const { watch, looks } = watching();
    const item: Item = { name: "a", idleSince: 0 };
    watch.watch(item, 0);
    for (let now = 0; now <= 10_000; now += 10) {
      item.idleSince = now;
      expect(watch.takeIdle(now)).toEqual([]);
    }
    expect(looks()).toBeLessThanOrEqual(11);
  });

  it("does not look at one that is in use", () => {
    const { watch, looks } = watching();
    const item: Item = { name: "a", idleSince: 0 };
    watch.watch(item, 0);
    item.idleSince = undefined;
    expect(watch.takeIdle(1_000_000)).toEqual([]);
    expect([looks(), watch.next()]).toEqual([1, undefined]);
    item.idleSince = 1_000_000;
    watch.watch(item, 1_000_000);
    expect(watch.takeIdle(1_000_999)).toEqual([]);
    expect(watch.takeIdle(1_001_000)).toEqual([item]);
  });

  it("lets go of nothing that is in use, and of nothing that was forgotten", () => {
    const { watch } = watching();
    const [busy, forgotten]: Item[] = [
      { name: "busy", idleSince: undefined },
      { name: "forgotten", idleSince: 0 },
    ];
    for (const item of [busy, forgotten]) if (item !== undefined) watch.watch(item, 0);
    if (forgotten !== undefined) watch.forget(forgotten);
    expect(watch.takeIdle(1_000_000)).toEqual([]);
  });

  it("finds each as it has been idle for so long, and no sooner, whatever it did before", () => {
    const steps = fc.array(
      fc.record({
        name: fc.constantFrom("a", "b", "c"),
        does: fc.constantFrom("use", "rest", "look"),
        afterMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3_000 })),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (taken) => {
        const { watch } = watching();
        const items = new Map<string, Item>();
        let now = 0;
        for (const { name, does, afterMs } of taken) {
          now += afterMs;
          const item = items.get(name);
          const isOver = ({ idleSince }: Item): boolean => idleSince !== undefined && idleSince + idleMs <= now;
          if (does === "use" || item === undefined) {
            if (item === undefined) {
              const added: Item = { name, idleSince: does === "use" ? undefined : now };
              items.set(name, added);
              if (does !== "use") watch.watch(added, now);
            } else if (!isOver(item)) item.idleSince = undefined;
          } else if (does === "rest" && !isOver(item)) {
            item.idleSince = now;
            watch.watch(item, now);
          }
          const over = [...items.values()].filter(isOver);
          expect(new Set(watch.takeIdle(now))).toEqual(new Set(over));
          for (const each of over) items.delete(each.name);
          // Nobody is to be woken for a moment that has passed, again and again.
          expect(watch.next() ?? Infinity).toBeGreaterThan(now);
          const next = [...items.values()].flatMap(({ idleSince }) => idleSince ?? []).sort((a, b) => a - b)[0];
          if (next !== undefined) expect(watch.next()).toBeLessThanOrEqual(next + idleMs + deadlineBucketMs);
        }
      }),
      { numRuns: 500 },
    );
  });
});
