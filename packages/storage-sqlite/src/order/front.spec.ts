import { activities, Driver, newTask } from "@tq/storage/exercise";
import { expect, it } from "vitest";
import { sqlite } from "../../test/home.ts";

const claimAll = {
  offers: [{ workerId: "w1", pollId: "", leaseMs: 30_000, slots: 100, maxBytes: 1e9 }],
  claims: [{ queue: activities, types: null, offers: [0] }],
};

it("a claim that meets many tasks too late leaves none of them in line, however much that puts in", async () => {
  const d = await Driver.open(sqlite);
  try {
    // What their closing adds is, with what is there, more than is looked at before it is written.
    const closing = Array.from({ length: 60 }, (_, i) =>
      newTask({ id: `c${i}`, queue: { ...activities, name: "w", kind: "workflow" }, type: "closed" }),
    );
    const tasks = Array.from({ length: 100 }, (_, i) =>
      newTask({
        id: `t${i}`,
        startDelayMs: 100,
        timeouts: { scheduleToCloseMs: 200 },
        onClose: { queueName: "w", type: "closed" },
      }),
    );
    await d.run({ verb: "add", tasks });
    d.now += 1_000;
    const { granted } = await d.commit(
      [
        { verb: "add", tasks: closing },
        { verb: "promote", limit: 100 },
      ],
      () => claimAll,
    );
    expect(granted).toEqual([[]]);
    expect(await d.states("t0", "t99", "t0/closed/1")).toEqual(["timed-out", "timed-out", "ready"]);
    expect(await d.claimIds()).toEqual([]);
  } finally {
    await d.dispose();
  }
});

it("a claim that takes exactly as many tasks of a type as it has read leaves none of them in line", async () => {
  const d = await Driver.open(sqlite);
  try {
    // It reads half as many again as it is to take, of two types: 30 of each.
    const ids = Array.from({ length: 30 }, (_, i) => `t${1_000 + i}`);
    await d.add(...ids.map((id) => ({ id })), { id: "other", type: "u" });
    expect(await d.claimIds({ slots: 40 })).toEqual([...ids, "other"]);
    expect(await d.claimIds({ slots: 40 })).toEqual([]);
    expect((await d.describe()).counts).toMatchObject({ ready: 0, started: 31 });
  } finally {
    await d.dispose();
  }
});
