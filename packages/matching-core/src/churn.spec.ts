import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChurnMap, ChurnSet } from "./churn.ts";

const changes = fc.array(fc.tuple(fc.constantFrom("put", "put", "delete", "delete", "clear"), fc.nat(40)), {
  maxLength: 600,
  // By itself it makes ten at most, and a Map is begun anew after 32 that are deleted.
  size: "max",
});

describe("a Map and a Set of what comes and goes", () => {
  test("hold what a plain one holds, in its order, however often they are begun anew", () => {
    fc.assert(
      fc.property(changes, (all) => {
        const [map, plainMap] = [new ChurnMap<number, number>(), new Map<number, number>()];
        const [set, plainSet] = [new ChurnSet<number>(), new Set<number>()];
        for (const [i, [what, key]] of all.entries()) {
          if (what === "put") {
            map.set(key, i);
            plainMap.set(key, i);
            set.add(key);
            plainSet.add(key);
          } else if (what === "delete" || key > 2) {
            expect([map.delete(key), set.delete(key)]).toEqual([plainMap.delete(key), plainSet.delete(key)]);
          } else {
            map.clear();
            plainMap.clear();
          }
          expect([map.size, map.has(key), map.get(key), set.size, set.has(key)]).toEqual([
            plainMap.size,
            plainMap.has(key),
            plainMap.get(key),
            plainSet.size,
            plainSet.has(key),
          ]);
        }
        expect([[...map], [...map.keys()], [...map.values()], [...set]]).toEqual([
          [...plainMap],
          [...plainMap.keys()],
          [...plainMap.values()],
          [...plainSet],
        ]);
        expect([map.keysNow(), map.valuesNow(), set.now()]).toEqual([
          [...plainMap.keys()],
          [...plainMap.values()],
          [...plainSet],
        ]);
      }),
    );
  });

  test("can be emptied while they are gone through, and what is deleted is not met", () => {
    const [map, set] = [new ChurnMap<number, string>(), new ChurnSet<number>()];
    for (let i = 0; i < 100; i++) {
      map.set(i, `${i}`);
      set.add(i);
    }
    const met: (number | string)[] = [];
    const emptied = <Key>(items: Iterable<Key>, one: (item: Key) => number, from: { delete(key: number): boolean }) => {
      for (const item of items) {
        met.push(one(item));
        // All but the last two.
        if (one(item) === 0) for (let i = 1; i < 98; i++) from.delete(i);
        from.delete(one(item));
      }
    };
    emptied(map, ([key]) => key, map);
    emptied(set, (item) => item, set);
    expect([met, map.size, set.size]).toEqual([[0, 98, 99, 0, 98, 99], 0, 0]);
  });
});
