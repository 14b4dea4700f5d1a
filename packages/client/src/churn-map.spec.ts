import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ChurnMap } from "./churn-map.ts";

describe("a map for what comes and goes", () => {
  test("holds values by their keys, and counts them", () => {
    const map = new ChurnMap<number>();
    map.set("a", 1);
    map.set("__proto__", 2);
    map.set("a", 3);
    expect([map.size, map.get("a"), map.get("__proto__"), map.get("b"), map.has("a"), map.has("toString")]).toEqual([
      2,
      3,
      2,
      undefined,
      true,
      false,
    ]);
    expect([map.delete("a"), map.delete("a"), map.size, [...map]]).toEqual([true, false, 1, [2]]);
  });

  test("can be emptied while it is gone through, and what is deleted is not met", () => {
    const map = new ChurnMap<string>();
    for (const key of ["a", "b", "c"]) map.set(key, key);
    const met: string[] = [];
    for (const value of map) {
      met.push(value);
      map.delete("b");
      map.delete(value);
    }
    expect([met, map.size]).toEqual([["a", "c"], 0]);
  });

  test("what has gone does not outlive the collections of the young generation, as it does in a Map", () => {
    const script = fileURLToPath(new URL("../test/churn.ts", import.meta.url));
    const surviving = (kind: string): number =>
      Number(
        execFileSync(process.execPath, ["--expose-gc", "--experimental-strip-types", "--no-warnings", script, kind], {
          encoding: "utf8",
        }),
      );
    const [churnMap, map] = [surviving("churn-map"), surviving("map")];
    expect(churnMap).toBeLessThan(map / 4);
  });
});
