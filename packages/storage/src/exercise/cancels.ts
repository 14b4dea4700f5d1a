import { expect } from "vitest";
import { failure, newTask, start } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

/** Cancel: a waiting task closes at once, a started one is told, and with force taken away. */
export function cancels(harness: Harness): void {
  chapter("cancels", harness, (test) => {
    test("close a task that is ready, delayed or backing off", async (d) => {
      await d.add({ id: "backing-off" });
      await d.fail(await d.claimOne());
      await d.add({ id: "ready" }, { id: "delayed", startDelayMs: 1_000 });
      d.now += 100;
      expect(await d.cancel(["ready", "delayed", "backing-off"])).toEqual(["canceled", "canceled", "canceled"]);
      for (const id of ["ready", "delayed", "backing-off"]) {
        const task = await d.task(id);
        expect(task).toMatchObject({ state: "canceled", outcome: { state: "canceled", closedAt: start + 100 } });
        expect(task).not.toHaveProperty("dueAt");
      }
      expect((await d.task("backing-off")).failedAttempts).toHaveLength(1);
      expect((await d.pass(10_000)).promoted).toBe(0);
      expect(await d.claim()).toEqual([]);
    });

    test("only ask a started task, which may still complete", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      expect(await d.cancel(["a"])).toEqual(["requested"]);
      expect(await d.cancel(["a"])).toEqual(["requested"]);
      expect(await d.task("a")).toMatchObject({ state: "started", started: { cancelRequested: true } });
      expect(await d.complete(task)).toEqual({ status: "accepted" });
      expect(await d.state("a")).toBe("completed");
    });

    test("leave the order of a key as it is, also where the same commit adds another of it", async (d) => {
      const key = { fairnessKey: "k" };
      await d.add({ id: "a", ...key }, { id: "b", ...key });
      await d.commit([
        { verb: "cancel", namespace: "default", ids: ["b"], force: false, reason: "" },
        { verb: "add", tasks: [newTask({ id: "c", ...key })] },
        { verb: "cancel", namespace: "default", ids: ["a"], force: false, reason: "" },
      ]);
      await d.add({ id: "d", ...key });
      expect(await d.claimIds()).toEqual(["c", "d"]);
    });

    test("survive a crash", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne();
      await d.cancel(["a"]);
      await d.crash();
      expect((await d.renew(task)).cancels).toHaveLength(1);
      await d.fail(task, failure());
      expect(await d.state("a")).toBe("canceled");
    });

    test("a released or expired task that was to be canceled is never started again", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const [a] = await d.claim({ leaseMs: 1_000 });
      if (!a) throw new Error("nothing claimed");
      await d.cancel(["a", "b"]);
      await d.release(a);
      await d.pass(1_000);
      expect(await d.states("a", "b")).toEqual(["canceled", "canceled"]);
      expect((await d.describe()).counts.dead).toBe(0);
    });

    test("with force take a started task away, and revoke its token", async (d) => {
      await d.add({ id: "a" });
      const task = await d.claimOne({ workerId: "w7" });
      expect(await d.cancel(["a"], true)).toEqual(["canceled"]);
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w7" }]);
      expect(await d.state("a")).toBe("canceled");
      expect(await d.complete(task)).toEqual({ status: "lease-lost" });
      expect(await d.state("a")).toBe("canceled");
    });

    test("leave the reason with what they closed", async (d) => {
      const cancel = (id: string, reason: string, force = false) =>
        d.run({ verb: "cancel", namespace: "default", ids: [id], force, reason });
      const ids = ["forced", "failed", "answered", "released", "returned", "lost"];
      await d.add(...ids.map((id) => ({ id })));
      const [, failed, answered, released, returned] = await d.claim({ leaseMs: 1_000 });
      if (!failed || !answered || !released || !returned) throw new Error("nothing claimed");
      await d.add({ id: "waiting" }, { id: "no-reason" });
      await cancel("forced", "now", true);
      for (const id of [...ids, "waiting"]) await cancel(id, "not needed");
      await cancel("no-reason", "");
      await d.fail(failed, failure("Boom"));
      await d.answer({ lease: answered.lease, kind: "canceled", failure: failure("GaveWay") });
      await d.release(released);
      await d.giveBack("undelivered", returned);
      await d.pass(1_000);
      const why = async (id: string) => {
        const { state, outcome } = await d.task(id);
        return [state, outcome?.failure?.type, outcome?.failure?.message];
      };
      // What a worker says is kept; else it is the reason that was given.
      expect(await why("failed")).toEqual(["canceled", "Boom", "Boom happened"]);
      expect(await why("answered")).toEqual(["canceled", "GaveWay", "GaveWay happened"]);
      expect(await why("forced")).toEqual(["canceled", "Canceled", "now"]);
      for (const id of ["released", "returned", "lost", "waiting"]) {
        expect(await why(id)).toEqual(["canceled", "Canceled", "not needed"]);
      }
      expect(await why("no-reason")).toEqual(["canceled", "Canceled", "canceled"]);
    });

    test("say what they did not find, and what is closed already", async (d) => {
      await d.add({ id: "a" });
      await d.complete(await d.claimOne());
      expect(await d.cancel(["nobody", "a", "a"])).toEqual(["not-found", "already-closed", "already-closed"]);
      const elsewhere = { verb: "cancel", namespace: "nowhere", ids: ["a"], force: true, reason: "" } as const;
      expect(await d.run(elsewhere)).toEqual({ verb: "cancel", statuses: ["not-found"] });
    });
  });
}
