import { describe, expect, test } from "vitest";
import { mapBegunAnew, setBegunAnew } from "./begun-anew.ts";

describe("a Map or Set that is begun anew once it is empty", () => {
  test("is another one then, and the same one before", () => {
    const map = new Map([["a", 1]]);
    const set = new Set(["a"]);
    expect([mapBegunAnew(map), setBegunAnew(set)]).toEqual([map, set]);
    expect(mapBegunAnew(map)).toBe(map);
    expect(setBegunAnew(set)).toBe(set);
    map.clear();
    set.clear();
    expect(mapBegunAnew(map)).not.toBe(map);
    expect(setBegunAnew(set)).not.toBe(set);
  });
});
