import type { LeaseRef } from "@tq/matching-core";
import { expect } from "vitest";
import { action, newTask, workflows } from "./driver.ts";
import { chapter, type Harness } from "./harness.ts";

const request = { namespace: "default", id: "r" };

/** A repeated call does nothing twice. */
export function requestIds(harness: Harness): void {
  chapter("request ids", harness, (test) => {
    test("an add that is repeated gets the first one's answer, even when its task has gone", async (d) => {
      const first = await d.tryAdd([{ id: "a", retentionMs: 0 }], "r");
      await d.complete(await d.claimOne());
      expect(await d.tryAdd([{ id: "a", retentionMs: 0 }], "r")).toEqual(first);
      expect(await d.state("a")).toBe("gone");
    });

    test("answers that are repeated get the first ones' statuses", async (d) => {
      await d.add({ id: "w", queue: workflows, retentionMs: 0 });
      const { lease } = await d.claimOne({ queue: workflows });
      const commands = [{ command: "add" as const, task: newTask({ id: "x", retentionMs: 0 }) }];
      const answers = [{ lease, kind: "completed" as const, commands }];
      const first = await d.answers(answers, "r");
      expect(first).toEqual([{ status: "accepted" }]);
      await d.complete(await d.claimOne());
      expect(await d.answers(answers, "r")).toEqual(first);
      expect(await d.state("x")).toBe("gone");
    });

    test("answers to other deliveries are refused under an id that was used", async (d) => {
      await d.add({ id: "a" }, { id: "b" });
      const [a, b] = await d.claim();
      if (a === undefined || b === undefined) throw new Error("nothing claimed");
      const answered = (lease: LeaseRef) => [{ lease, kind: "completed" as const, commands: [] }];
      await d.answers(answered(a.lease), "r");
      const far = { seq: b.lease.seq, leaseNo: a.lease.leaseNo + 2 ** 32 };
      for (const lease of [
        b.lease,
        { ...a.lease, leaseNo: b.lease.leaseNo },
        far,
        { ...a.lease, leaseNo: far.leaseNo },
      ]) {
        const operation = { verb: "answer" as const, namespace: "default", answers: answered(lease), request };
        expect(await d.run(operation)).toMatchObject({ refused: { reason: "request-id-reused" } });
      }
      expect(await d.state("b")).toBe("started");
    });

    test("a cancel that is repeated gets the first one's statuses", async (d) => {
      await d.add({ id: "a" });
      const operation = {
        verb: "cancel" as const,
        namespace: "default",
        ids: ["a"],
        force: false,
        reason: "",
        request,
      };
      const first = await d.run(operation);
      expect(first).toEqual({ verb: "cancel", statuses: ["canceled"] });
      expect(await d.run(operation)).toEqual(first);
    });

    test("an id that was used for another call is refused, whatever the call", async (d) => {
      await d.tryAdd([{ id: "a" }], "r");
      const refused = { refused: { reason: "request-id-reused", index: 0, subject: "r" } };
      expect(await d.run({ verb: "add", tasks: [newTask({ id: "b" }), newTask({ id: "c" })], request })).toMatchObject(
        refused,
      );
      expect(await d.run({ verb: "answer", namespace: "default", answers: [], request })).toMatchObject(refused);
      expect(await d.state("b")).toBe("gone");
    });

    test("hold for the creation of a namespace", async (d) => {
      const operation = { verb: "create-namespace" as const, name: "n", description: "", action, request };
      const first = await d.run(operation);
      expect(first).toMatchObject({ existed: false });
      expect(await d.run(operation)).toEqual(first);
    });

    test("are refused with other ids, unless these were made for tasks that brought none", async (d) => {
      await d.tryAdd([{ id: "a" }], "r");
      expect(await d.tryAdd([{ id: "b" }], "r")).toMatchObject({ refused: { reason: "request-id-reused" } });
      expect(await d.state("b")).toBe("gone");
      const made = (id: string) => ({
        verb: "add" as const,
        tasks: [newTask({ id, input: new Uint8Array() })],
        madeIds: new Set([id]),
        request: { namespace: "default", id: "made" },
      });
      const first = await d.run(made("c"));
      expect(await d.run(made("d"))).toEqual(first);
    });

    test("an add that is repeated says of each task again whether it was there, which run it is, and what id it got", async (d) => {
      await d.add({ id: "closed", idPolicy: "allow" }, { id: "open", type: "other" });
      await d.complete(await d.claimOne({ types: ["t"] }));
      const operation = (made: string) => ({
        verb: "add" as const,
        tasks: ["new", "closed", "open", made, "last"].map((id) =>
          newTask({ id, idPolicy: "allow", input: new Uint8Array() }),
        ),
        madeIds: new Set([made]),
        request,
      });
      const first = await d.run(operation("made"));
      expect(first).toEqual({
        verb: "add",
        added: [
          { id: "new", run: 1, existed: false },
          { id: "closed", run: 2, existed: false },
          { id: "open", run: 1, existed: true },
          { id: "made", run: 1, existed: false },
          { id: "last", run: 1, existed: false },
        ],
      });
      expect(await d.run(operation("made anew"))).toEqual(first);
    });

    test("answers that are repeated get each its own status again", async (d) => {
      await d.add({ id: "a", retentionMs: 60_000 }, { id: "b" }, { id: "c" });
      const [a, b, c] = await d.claim();
      if (a === undefined || b === undefined || c === undefined) throw new Error("not all were given");
      await d.complete(a);
      const answers = [
        { lease: b.lease, kind: "completed" as const, commands: [] },
        { lease: a.lease, kind: "completed" as const, commands: [] },
        { lease: { ...c.lease, leaseNo: c.lease.leaseNo + 1 }, kind: "completed" as const, commands: [] },
        { lease: c.lease, kind: "completed" as const, commands: [] },
      ];
      const first = await d.answers(answers, "r");
      expect(first.map(({ status }) => status)).toEqual(["accepted", "already-answered", "lease-lost", "accepted"]);
      expect(await d.answers(answers, "r")).toEqual(first);
    });

    test("hold over a crash", async (d) => {
      const first = await d.tryAdd([{ id: "a", retentionMs: 0 }], "r");
      await d.complete(await d.claimOne());
      await d.crash();
      expect(await d.tryAdd([{ id: "a" }], "r")).toEqual(first);
    });

    test("hold within one commit", async (d) => {
      const operation = { verb: "add" as const, tasks: [newTask({ id: "a" })], request };
      const { results } = await d.commit([operation, operation]);
      expect(results[1]).toEqual(results[0]);
      expect(results[0]).toEqual({ verb: "add", added: [{ id: "a", run: 1, existed: false }] });
    });

    test("a refused call may be tried again", async (d) => {
      await d.add({ id: "a", retentionMs: 1_000 });
      await d.complete(await d.claimOne());
      expect(await d.tryAdd([{ id: "a" }], "r")).toHaveProperty("refused");
      await d.pass(1_000);
      expect(await d.tryAdd([{ id: "a" }], "r")).toEqual({ verb: "add", added: [{ id: "a", run: 1, existed: false }] });
    });

    test("one id for two kinds of call is refused", async (d) => {
      await d.tryAdd([{ id: "a" }], "r");
      const refused = { reason: "request-id-reused", index: 0, subject: "r" };
      const operation = {
        verb: "cancel" as const,
        namespace: "default",
        ids: ["a"],
        force: false,
        reason: "",
        request,
      };
      expect(await d.run(operation)).toEqual({ verb: "cancel", refused });
      expect(await d.run({ verb: "answer", namespace: "default", answers: [], request })).toEqual({
        verb: "answer",
        refused,
      });
      expect(await d.state("a")).toBe("ready");
    });

    test("are forgotten after ten minutes, swept or not", async (d) => {
      await d.tryAdd([{ id: "a", retentionMs: 0 }], "r");
      await d.complete(await d.claimOne());
      d.now += 599_900;
      expect(await d.tryAdd([{ id: "a" }], "r")).toHaveProperty("added");
      expect(await d.state("a")).toBe("gone");
      d.now += 100;
      await d.tryAdd([{ id: "a" }], "r");
      expect(await d.state("a")).toBe("ready");
    });

    test("of one namespace say nothing in another", async (d) => {
      await d.run({ verb: "create-namespace", name: "other", description: "", action });
      await d.tryAdd([{ id: "a" }], "r");
      const queue = { namespace: "other", name: "q", kind: "activity" as const };
      const tasks = [newTask({ id: "a", queue })];
      await d.run({ verb: "add", tasks, request: { namespace: "other", id: "r" } });
      const [there] = await d.store.getTasks("other", ["a"]);
      expect(there?.state).toBe("ready");
      expect(await d.run({ verb: "add", tasks, request: { namespace: "nowhere", id: "r" } })).toEqual({
        verb: "add",
        refused: { reason: "namespace-not-found", index: 0, subject: "nowhere" },
      });
    });
  });
}
