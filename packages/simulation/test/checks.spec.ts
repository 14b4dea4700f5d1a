/* Each check finds what it is there for, and does not take what is well for it. */
import { describe, expect, it } from "vitest";
import type { ClosedNotice } from "@tq/storage";
import { attempts } from "../src/check/attempts.ts";
import { closings } from "../src/check/closings.ts";
import { deadlines } from "../src/check/deadlines.ts";
import { leases } from "../src/check/leases.ts";
import { maxStarted } from "../src/check/max-started.ts";
import { order } from "../src/check/order.ts";
import { owners } from "../src/check/owners.ts";
import { rates } from "../src/check/rates.ts";
import { routing } from "../src/check/routing.ts";
import { switchedOff } from "../src/check/switched-off.ts";
import type { History, PolledTask } from "../src/history.ts";
import { action, commit, configured, grant, queue, started, task } from "./fabricated.ts";

describe("closings", () => {
  const closed: ClosedNotice = {
    namespace: "default",
    id: "task-1",
    run: 1,
    attempts: 1,
    outcome: { state: "completed", closedAt: 2 },
  };
  const open = commit(1, { open: [task(1)] });

  it("takes a task that closes once", () => {
    expect(closings([open, commit(2, { closed: [closed] })])).toEqual([]);
  });

  it.each<[string, History, RegExp]>([
    ["is gone", [open, commit(2)], /is gone at 2, and did not close/],
    ["closes twice", [open, commit(2, { closed: [closed] }), commit(3, { closed: [closed] })], /was not open/],
    ["never closes", [open], /is open at the end/],
    ["closes and is open", [open, commit(2, { closed: [closed], open: [task(1)] })], /and is open/],
  ])("finds one that %s", (_what, history, found) => {
    expect(closings(history).join()).toMatch(found);
  });

  it("finds one that was acknowledged and never there", () => {
    const request = { method: "add", requestId: "r", ids: ["task-9"] } as const;
    const reply = { method: "add", added: [{ id: "task-9", run: 1, existed: false }] } as const;
    expect(closings([{ kind: "reply", call: 1, request, outcome: { kind: "ok", reply } }])).toHaveLength(1);
  });
});

describe("leases", () => {
  const held = started(task(1), 7, 1_000);
  const granted = commit(1_000, { open: [held], grants: [grant(held)] });
  const expired = (now: number): History[number] =>
    commit(now, {
      operations: [{ verb: "expire", limit: 1 }],
      results: [{ verb: "expire", expired: 1, timedOut: 0 }],
      open: [task(1)],
    });

  it("takes one that ends when it is over", () => {
    expect(leases([granted, expired(11_000)])).toEqual([]);
  });

  it("finds one that ends too early: after its grant, or after a start", () => {
    expect(leases([granted, expired(10_999)])).toHaveLength(1);
    expect(leases([granted, { kind: "opened", life: 2, epoch: 2, now: 5_000 }, expired(14_999)])).toHaveLength(1);
    expect(leases([granted, { kind: "opened", life: 2, epoch: 2, now: 5_000 }, expired(15_000)])).toEqual([]);
  });

  it("finds a number that is given twice", () => {
    const other = started(task(2), 7, 1_001);
    expect(leases([granted, commit(1_001, { open: [held, other], grants: [grant(other)] })]).join()).toMatch(
      /given twice/,
    );
  });
});

describe("order", () => {
  it("finds a task that overtook one of a higher priority", () => {
    const later = started(task(1, { priority: 4 }), 1, 1);
    expect(order([commit(1, { open: [later, task(2)], grants: [grant(later)] })])).toHaveLength(1);
    expect(order([commit(1, { open: [later, task(2, { keyHeldBack: "rate" })], grants: [grant(later)] })])).toEqual([]);
  });

  it("finds a task that overtook an earlier one of its key", () => {
    const later = started(task(2), 1, 2);
    const before = commit(1, { open: [task(1), task(2)] });
    expect(order([before, commit(2, { open: [task(1), later], grants: [grant(later)] })])).toHaveLength(1);
  });

  it("finds tasks of one serial key that are started together, or out of order", () => {
    const [first, second] = [1, 2].map((seq) => started(task(seq, { serialKey: "s" }), seq, 1));
    if (first === undefined || second === undefined) throw new Error("there are two");
    expect(order([commit(1, { open: [first, second], grants: [grant(second)] })]).join()).toMatch(/started together/);
    const waits = task(1, { serialKey: "s", waitsForSerialKey: true });
    expect(order([commit(1, { open: [waits, second], grants: [grant(second)] })]).join()).toMatch(/in the serial key/);
  });
});

describe("limits", () => {
  const at = (now: number, seqs: readonly number[]): History[number] => {
    const open = seqs.map((seq) => started(task(seq), seq, now));
    return commit(now, { open, grants: open.slice(-1).map((one) => grant(one)) });
  };

  it("finds more dispatches than rate × window + burst", () => {
    const limited = configured(0, { ratePerSecond: 1, burst: 2 });
    expect(rates([limited, at(0, [1]), at(0, [2]), at(1_000, [3])])).toEqual([]);
    expect(rates([limited, at(0, [1]), at(0, [2]), at(999, [3])])).toHaveLength(1);
    const byKey = configured(0, { fairnessKeys: new Map([["", { ratePerSecond: 1 }]]) });
    expect(rates([byKey, at(0, [1]), at(500, [2])])).toHaveLength(1);
  });

  it("finds more started tasks than there may be", () => {
    const limited = configured(0, { maxStarted: 1 });
    expect(maxStarted([limited, at(1, [1])])).toEqual([]);
    expect(maxStarted([limited, at(1, [1, 2])])).toHaveLength(1);
  });

  it("finds dispatches of a paused queue", () => {
    const pause = { actor: "", reason: "", since: 0, until: 10 };
    const paused = commit(0, {
      operations: [{ verb: "pause", queue, until: 10, action }],
      results: [{ verb: "pause", pause }],
    });
    expect(switchedOff([paused, at(9, [1])])).toHaveLength(1);
    expect(switchedOff([paused, at(10, [1])])).toEqual([]);
  });
});

describe("dispatches", () => {
  const one = started(task(1), 1, 5);
  const dispatched = (fields: Parameters<typeof grant>[1]): History => [
    commit(5, { open: [one], grants: [grant(one, fields)] }),
  ];

  it("are found past a deadline", () => {
    expect(deadlines(dispatched({ scheduleToCloseAt: 6 }))).toEqual([]);
    expect(deadlines(dispatched({ scheduleToCloseAt: 5 }))).toHaveLength(1);
    const delayed = commit(1, { open: [task(1, { state: "scheduled", dueAt: 6 })] });
    expect(deadlines([delayed, ...dispatched({})])).toHaveLength(1);
  });

  it("are found beyond the last attempt, or with one left out", () => {
    expect(attempts(dispatched({ attempt: 1 }))).toEqual([]);
    expect(attempts(dispatched({ attempt: 2 }))).toHaveLength(1);
    expect(attempts([...dispatched({}), ...dispatched({ attempt: 2 }), ...dispatched({ attempt: 3 })])).toHaveLength(1);
  });

  it("are found at a worker that did not ask for them", () => {
    const polled: PolledTask = { token: "", id: "task-1", run: 1, queue: "mail/activity", type: "notify", attempt: 1 };
    const reply = (types: string[], queues: string[], maxTasks: number): History[number] => ({
      kind: "reply",
      call: 1,
      request: {
        method: "poll",
        requestId: "",
        pollId: "poll",
        workerId: "worker",
        types,
        queues,
        maxTasks,
        leaseMs: 10_000,
        waitMs: 0,
        answers: [],
      },
      outcome: { kind: "ok", reply: { method: "poll", tasks: [polled], statuses: [] } },
    });
    expect(routing([...dispatched({}), reply(["notify"], ["mail/activity"], 1)])).toEqual([]);
    expect(routing([...dispatched({}), reply(["charge"], ["mail/activity"], 1)])).toHaveLength(1);
    expect(routing([...dispatched({}), reply(["notify"], ["payments/activity"], 1)])).toHaveLength(1);
    expect(routing([...dispatched({}), reply(["notify"], ["mail/activity"], 0)])).toHaveLength(1);
    expect(routing([reply(["notify"], ["mail/activity"], 1)])).toHaveLength(1);
  });
});

describe("owners", () => {
  it("are found to commit after they were replaced, and to set the time back", () => {
    const opened = { kind: "opened", life: 2, epoch: 2, now: 5 } as const;
    expect(owners([opened, commit(6, { epoch: 2 })])).toEqual([]);
    expect(owners([opened, commit(6, { epoch: 1 })])).toHaveLength(1);
    expect(owners([opened, commit(4, { epoch: 2 })])).toHaveLength(1);
  });
});
