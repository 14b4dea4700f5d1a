import { expect } from "vitest";
import { failure } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Deliveries that reached nobody go back to their places. */
export function returns(harness: Harness): void {
  chapter("returns", harness, (test) => {
    test("go back before everything that was added after them, whatever the order of returning", async (d) => {
      await d.add(...["a", "b", "c", "d"].map((id) => ({ id })));
      const [a, b, c] = await d.claim({ slots: 3 });
      if (!a || !b || !c) throw new Error("nothing claimed");
      await d.add({ id: "e" });
      expect(await d.giveBack("undelivered", c, a, b)).toBe(3);
      expect(await d.claimIds()).toEqual(["a", "b", "c", "d", "e"]);
    });

    test("use no attempt, however often, if nothing was handed over", async (d) => {
      await d.add({ id: "a" });
      for (let i = 0; i < 10; i++) await d.giveBack("undelivered", await d.claimOne());
      expect(await d.claimOne()).toMatchObject({ attempt: 1 });
    });

    test("unconfirmed ones are free three times in a row", async (d) => {
      await d.add({ id: "a" });
      for (let i = 0; i < 3; i++) await d.giveBack("unconfirmed", await d.claimOne());
      expect(await d.task("a")).toMatchObject({ state: "ready", attempt: 0 });
      await d.giveBack("unconfirmed", await d.claimOne());
      expect(await d.task("a")).toMatchObject({
        state: "scheduled",
        attempt: 1,
        failedAttempts: [{ failure: { type: "Undelivered" } }],
      });
      await d.pass(1_000);
      for (let i = 0; i < 3; i++) await d.giveBack("unconfirmed", await d.claimOne());
      expect(await d.task("a")).toMatchObject({ state: "ready", attempt: 1 });
    });

    test("a worker's release ends the row of unconfirmed ones, and so does its failure", async (d) => {
      await d.add({ id: "a" });
      for (let i = 0; i < 3; i++) await d.giveBack("unconfirmed", await d.claimOne());
      await d.release(await d.claimOne());
      for (let i = 0; i < 3; i++) await d.giveBack("unconfirmed", await d.claimOne());
      await d.fail(await d.claimOne(), failure("Boom", { nextRetryDelayMs: 0 }));
      for (let i = 0; i < 3; i++) await d.giveBack("unconfirmed", await d.claimOne());
      expect(await d.task("a")).toMatchObject({ state: "ready", attempt: 1 });
    });

    test("are fenced by the lease number", async (d) => {
      await d.add({ id: "a" });
      const first = await d.claimOne();
      expect(await d.giveBack("undelivered", first, first)).toBe(1);
      const second = await d.claimOne();
      expect(await d.giveBack("undelivered", first)).toBe(0);
      expect((await d.task("a")).started?.leaseNo).toBe(second.lease.leaseNo);
    });

    test("of a task that is to be canceled close it", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.cancel(["a"]);
      await d.giveBack("undelivered", task);
      expect(await d.state("a")).toBe("canceled");
    });

    test("say that the queue has something again", async (d) => {
      await d.add({ id: "a" });
      const { lease } = await d.claimOne();
      let touched = 0;
      await d.commit([{ verb: "return", leases: [lease], why: "undelivered" }], (queues) => {
        touched = queues.size;
        return { offers: [], claims: [] };
      });
      expect(touched).toBe(1);
    });

    test("tell the worker that an unconfirmed one was taken from it", async (d) => {
      await d.add({ id: "a" });
      await d.giveBack("unconfirmed", await d.claimOne());
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w1" }]);
    });
  });
}
