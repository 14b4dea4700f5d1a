import { expect } from "vitest";
import { newTask } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Only the present owner of the shard can write. */
export function epochs(harness: Harness): void {
  const add = { verb: "add" as const, tasks: [newTask({ id: "a" })] };
  const plan = () => ({ offers: [], claims: [] });

  chapter("epochs", harness, (test) => {
    test("an owner that was replaced is refused, and does no harm", async (d) => {
      await d.add({ id: "before" });
      await d.home.takeOver();
      await expect(d.commit([add])).rejects.toMatchObject({ name: "StoreError", code: "shard-lost" });
      await expect(d.commit([])).rejects.toMatchObject({ code: "shard-lost" });
      await d.reopen();
      expect(await d.states("before", "a")).toEqual(["ready", "gone"]);
    });

    test("another epoch, and another shard, is refused", async (d) => {
      const { shard, epoch } = d.lease;
      for (const lease of [
        { shard, epoch: epoch - 1 },
        { shard, epoch: epoch + 1 },
        { shard: shard + 1, epoch },
      ]) {
        const commit = d.store.commit({ lease, now: d.now, operations: [add], plan });
        await expect(commit).rejects.toMatchObject({ code: "shard-lost" });
      }
      expect(await d.state("a")).toBe("gone");
    });

    test("a second owner is refused while the first has it open", async (d) => {
      const second = d.home.store();
      await expect(second.open(d.now)).rejects.toMatchObject({ name: "StoreError", code: "locked" });
      await second.close();
      await d.add({ id: "a" });
    });

    test("a store that is not open says so", async (d) => {
      const store = d.home.store();
      await expect(store.commit({ lease: d.lease, now: d.now, operations: [], plan })).rejects.toMatchObject({
        code: "unavailable",
      });
      await expect(store.getTasks("default", [])).rejects.toMatchObject({ code: "unavailable" });
    });
  });
}
