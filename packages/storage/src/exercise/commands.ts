import { expect } from "vitest";
import { bytes, newTask, workflows, type SomeTask } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const add = (task: SomeTask) => ({ command: "add" as const, task: newTask(task) });
const cancel = (id: string) => ({ command: "cancel" as const, id, reason: "over" });

/** What a completed workflow task asks for is done in the transaction of its answer, or not at all. */
export function commands(harness: Harness): void {
  chapter("commands", harness, (test) => {
    test("are refused in the answer to an activity, and the lease stays", async (d) => {
      await d.add({ id: "a" });
      const { lease } = await d.claimOne();
      const commands = [{ command: "add" as const, task: newTask({ id: "x" }) }];
      const [status] = await d.answers([{ lease, kind: "completed", commands }]);
      expect(status).toMatchObject({ status: "refused", refused: { reason: "not-a-workflow-task" } });
      expect([await d.state("a"), await d.state("x")]).toEqual(["started", "gone"]);
    });

    test("are carried out in order, with the answer", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "old" });
      const task = await d.claimOne({ queue: workflows });
      const timer = { id: "timer", queue: workflows, startDelayMs: 5_000 };
      expect(await d.complete(task, { commands: [add({ id: "x" }), cancel("old"), add(timer)] })).toEqual({
        status: "accepted",
      });
      expect(await d.states("w", "x", "old", "timer")).toEqual(["completed", "ready", "canceled", "scheduled"]);
    });

    test("a refused one refuses the whole answer, and the lease stays", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "closed" }, { id: "old" });
      await d.complete(await d.claimOne());
      const task = await d.claimOne({ queue: workflows });
      const status = await d.complete(task, { commands: [cancel("old"), add({ id: "x" }), add({ id: "closed" })] });
      expect(status).toEqual({
        status: "refused",
        commandIndex: 2,
        refused: { reason: "task-id-taken", index: expect.any(Number) as number, subject: "closed" },
      });
      expect(await d.states("w", "x", "old")).toEqual(["started", "gone", "ready"]);
      expect(await d.complete(task, { commands: [add({ id: "x" })] })).toEqual({ status: "accepted" });
    });

    test("an answer that is not accepted carries out nothing", async (d) => {
      await d.add({ id: "w", queue: workflows });
      const task = await d.claimOne({ queue: workflows });
      await d.complete(task, { commands: [add({ id: "x", retentionMs: 0 })] });
      await d.complete(await d.claimOne());
      expect(await d.complete(task, { commands: [add({ id: "x" })] })).toEqual({ status: "already-answered" });
      expect(await d.state("x")).toBe("gone");
    });

    test("a task with the own serial key is placed as the answered one leaves the line", async (d) => {
      await d.add({ id: "w", queue: workflows, serialKey: "flow" });
      const task = await d.claimOne({ queue: workflows });
      await d.complete(task, { commands: [add({ id: "next", queue: workflows, serialKey: "flow" })] });
      expect(await d.claimIds({ queue: workflows })).toEqual(["next"]);
    });

    test("canceling what is unknown or closed is no refusal", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "done" });
      await d.complete(await d.claimOne());
      const task = await d.claimOne({ queue: workflows });
      expect(await d.complete(task, { commands: [cancel("nobody"), cancel("done")] })).toEqual({ status: "accepted" });
    });

    test("a cancel command asks a started task, and tells its worker", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "a" });
      await d.claimOne({ workerId: "w9" });
      await d.complete(await d.claimOne({ queue: workflows }), { commands: [cancel("a")] });
      expect((await d.task("a")).started?.cancelRequested).toBe(true);
      expect(d.last?.notices).toEqual([{ namespace: "default", workerId: "w9" }]);
    });

    test("a task that one command cancels can be replaced by the next", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "x", type: "old" });
      await d.add({ id: "y", type: "old", retentionMs: 0 });
      const replacements = ["x", "y"].flatMap((id) => [cancel(id), add({ id, type: "new", idPolicy: "allow" })]);
      await d.complete(await d.claimOne({ queue: workflows }), { commands: replacements });
      expect(await d.task("x")).toMatchObject({ state: "ready", type: "new", run: 2 });
      expect(await d.task("y")).toMatchObject({ state: "ready", type: "new", run: 1 });
    });

    test("a task that one command cancels cannot be replaced by the next if the policy says no", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "x", type: "old" });
      const task = await d.claimOne({ queue: workflows });
      const status = await d.complete(task, { commands: [cancel("x"), add({ id: "x", type: "new" })] });
      expect(status).toMatchObject({ status: "refused", commandIndex: 1, refused: { reason: "task-id-taken" } });
      expect(await d.states("w", "x")).toEqual(["started", "ready"]);
    });

    test("a started task that one command cancels stays open, so adding it again adds nothing", async (d) => {
      await d.add({ id: "w", queue: workflows }, { id: "x", type: "old" });
      await d.claimOne();
      const task = await d.claimOne({ queue: workflows });
      await d.complete(task, { commands: [cancel("x"), add({ id: "x", type: "new" })] });
      expect(await d.task("x")).toMatchObject({ state: "started", type: "old" });
    });

    test("an id that a command's on-close task has just taken is open", async (d) => {
      await d.add({ id: "w", queue: workflows });
      await d.add({ id: "x", onClose: { queueName: "w", type: "closed", context: bytes("c") } });
      const task = await d.claimOne({ queue: workflows });
      const both = [cancel("x"), add({ id: "x/closed/1", queue: workflows, type: "mine" })];
      expect(await d.complete(task, { commands: both })).toEqual({ status: "accepted" });
      expect((await d.task("x/closed/1")).type).toBe("closed");
    });
  });
}
