import { describe, expect, it } from "vitest";
import { hashOf } from "../src/history.ts";
import { simulate } from "../src/simulate.ts";

describe("a run", () => {
  it("is the same each time it is played", async () => {
    for (const seed of [1, 2, 3]) {
      const [one, again] = [await simulate({ seed, steps: 60 }), await simulate({ seed, steps: 60 })];
      expect(hashOf(again.history)).toBe(hashOf(one.history));
    }
  }, 300_000);

  it("is the same beside another one", async () => {
    const alone = await simulate({ seed: 4, steps: 60 });
    const [beside] = await Promise.all([simulate({ seed: 4, steps: 60 }), simulate({ seed: 5, steps: 60 })]);
    expect(hashOf(beside.history)).toBe(hashOf(alone.history));
  }, 300_000);

  it("is another one with another seed", async () => {
    const [one, other] = [await simulate({ seed: 1, steps: 20 }), await simulate({ seed: 2, steps: 20 })];
    expect(hashOf(other.history)).not.toBe(hashOf(one.history));
  }, 300_000);
});
