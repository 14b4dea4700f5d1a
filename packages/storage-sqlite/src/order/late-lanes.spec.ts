/* What claims change of lanes and their markers is written late: nobody sees a difference to a store that settles at every commit. */
import { lightStrides } from "@tq/matching-core";
import { Driver, newTask, type SomeTask } from "@tq/storage/exercise";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { twins } from "../../test/twins.ts";

describe("lanes that are written late", () => {
  let d: Driver;
  beforeEach(async () => {
    d = await Driver.open(twins);
  });
  afterEach(async () => d.dispose());

  function tasksOf(fairnessKey: string, count: number): SomeTask[] {
    return Array.from({ length: count }, (_, i) =>
      newTask({ id: `${fairnessKey}-${String(i).padStart(3, "0")}`, fairnessKey }),
    );
  }

  /** Adds tasks of heavy keys, and takes those that do not stand in their lanes: so many of each are left in them. */
  async function fillLanes(keys: readonly string[], each: number): Promise<void> {
    for (const key of keys) await d.add(...tasksOf(key, lightStrides + each));
    for (let left = keys.length * lightStrides; left > 0; left -= 500) await d.claim({ slots: Math.min(left, 500) });
  }

  it("take back what their markers stood for, where these have moved on since", async () => {
    await fillLanes(["a"], 60);
    const claimed: string[] = [];
    for (let i = 0; i < 16; i++) {
      // The first of each stood where the marker did.
      const first = await d.claim({ slots: 3 });
      expect(await d.giveBack("undelivered", ...first)).toBe(3);
      const again = await d.claim({ slots: 3 });
      expect(again.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
      for (const task of again) await d.complete(task);
      claimed.push(...again.map(({ id }) => id));
    }
    expect(claimed).toEqual([...claimed].sort());
    await d.crash();
    expect(await d.claimIds({ slots: 100 })).toHaveLength(12);
  });

  it("may be more than are", async () => {
    const keys = Array.from({ length: 24 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    await fillLanes(keys, 12);
    for (let i = 0; i < 12; i++) {
      const tasks = await d.claim({ slots: 20 });
      expect(tasks).toHaveLength(20);
      if (i % 3 === 0) await d.giveBack("undelivered", ...tasks.slice(0, 5));
      for (const task of tasks.slice(i % 3 === 0 ? 5 : 0, 10)) await d.complete(task);
      await d.cancel([`${keys[i] ?? ""}-203`]);
    }
    await d.crash();
    for (let left = 1; left > 0;) left = (await d.claim({ slots: 50 })).length;
  });

  it("are served while the tasks of light keys come and go", async () => {
    await fillLanes(["heavy"], 80);
    for (let i = 0; i < 10; i++) {
      await d.add(...tasksOf(`light${i}`, 1), ...tasksOf(`other${i}`, 1));
      const ids = await d.claimIds({ slots: 6 });
      expect(ids).toContain(`light${i}-000`);
      expect(ids).toContain(`other${i}-000`);
      expect(ids).toHaveLength(6);
    }
    await d.crash();
    expect(await d.claimIds({ slots: 100 })).toHaveLength(40);
  });
});
