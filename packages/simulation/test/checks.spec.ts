/* Each check finds what it is there for, and does not take what is well for it. */
import { describe, expect, it } from "vitest";
import { noConfig, type ClosedNotice, type NewTask } from "@tq/storage";
import { attempts } from "../src/check/attempts.ts";
import { bulks } from "../src/check/bulks.ts";
import { closings } from "../src/check/closings.ts";
import { confirmations } from "../src/check/confirmations.ts";
import { deadlines } from "../src/check/deadlines.ts";
import { fallbacks } from "../src/check/fallbacks.ts";
import { idPolicies } from "../src/check/id-policies.ts";
import { leases } from "../src/check/leases.ts";
import { maxStarted } from "../src/check/max-started.ts";
import { order } from "../src/check/order.ts";
import { owners } from "../src/check/owners.ts";
import { rates } from "../src/check/rates.ts";
import { replySizes } from "../src/check/reply-sizes.ts";
import { revisions } from "../src/check/revisions.ts";
import { routing } from "../src/check/routing.ts";
import { switchedOff } from "../src/check/switched-off.ts";
import { undelivered } from "../src/check/undelivered.ts";
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
    const polled: PolledTask = {
      token: "",
      id: "task-1",
      run: 1,
      queue: "mail/activity",
      type: "notify",
      attempt: 1,
      bytes: 9,
    };
    const reply = (types: string[], queues: string[], maxTasks: number): History[number] => ({
      kind: "reply",
      call: 1,
      request: {
        method: "poll",
        namespace: "default",
        requestId: "",
        pollId: "poll",
        workerId: "worker",
        types,
        queues,
        maxTasks,
        leaseMs: 10_000,
        waitMs: 0,
        receivedPollIds: [],
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

/** The token of a lease as hex: version, shard, seq and lease number, each below 128, and two bytes of check. */
const tokenOf = (seq: number, leaseNo: number): string => Buffer.from([1, 0, seq, leaseNo, 0, 0]).toString("hex");

const pollRequest = {
  method: "poll",
  namespace: "default",
  requestId: "",
  pollId: "poll",
  workerId: "worker",
  types: undefined,
  queues: ["mail/activity"],
  maxTasks: 1,
  leaseMs: 10_000,
  confirmWithinMs: 2_000,
  waitMs: 0,
  receivedPollIds: [],
  answers: [],
} as const;

describe("deliveries", () => {
  const held = started(task(1), 7, 1_000);
  const granted = commit(1_000, { open: [held], grants: [grant(held)] });
  const polled: PolledTask = {
    token: tokenOf(1, 7),
    id: "task-1",
    run: 1,
    queue: "mail/activity",
    type: "notify",
    attempt: 1,
    bytes: 9,
  };
  const called = { kind: "call", call: 1, actor: "worker", request: pollRequest } as const;
  const arrived = {
    kind: "reply",
    call: 1,
    request: pollRequest,
    outcome: { kind: "ok", reply: { method: "poll", tasks: [polled], statuses: [] } },
  } as const;
  const back = (why: "undelivered" | "unconfirmed", now: number, record = task(1)): History[number] =>
    commit(now, {
      operations: [{ verb: "return", leases: [{ seq: 1, leaseNo: 7 }], why }],
      results: [{ verb: "return", returned: 1 }],
      open: [record],
    });
  const noticed = {
    kind: "undelivered",
    life: 1,
    workerId: "worker",
    pollId: "poll",
    tokens: [tokenOf(1, 7)],
  } as const;
  const nothing = commit(1_001, { open: [held] });

  it("are found to go back though they had arrived, and to stay though they reached nobody", () => {
    expect(undelivered([called, granted, noticed, back("undelivered", 1_001)])).toEqual([]);
    expect(undelivered([called, granted, arrived, back("undelivered", 1_001)]).join()).toMatch(/had arrived/);
    expect(undelivered([called, granted, noticed, nothing, nothing]).join()).toMatch(/reached nobody/);
    // One commit may have been under way; and a poll that was made again has its tasks.
    expect(undelivered([called, granted, noticed, nothing])).toEqual([]);
    expect(undelivered([called, granted, noticed, called, nothing, nothing])).toEqual([]);
  });

  it("are found to come back though they were mentioned, and to cost what is free", () => {
    const renewed = commit(1_500, {
      operations: [
        { verb: "renew", namespace: "default", workerId: "worker", leases: [{ seq: 1, leaseNo: 7 }], heartbeats: [] },
      ],
      results: [{ verb: "renew", lost: [], cancels: [], queues: [] }],
      open: [held],
    });
    expect(confirmations([called, granted, back("unconfirmed", 3_000)])).toEqual([]);
    expect(confirmations([called, granted, renewed, back("unconfirmed", 3_000)]).join()).toMatch(/was mentioned/);
    const failure = { type: "Undelivered", message: "", nonRetryable: false, encoded: new Uint8Array() };
    const attempt = { run: 1, attempt: 1, workerId: "worker", startedAt: 1_000, failedAt: 3_000, failure };
    const failed = task(1, { failedAttempts: [attempt] });
    expect(confirmations([called, granted, back("unconfirmed", 3_000, failed)]).join()).toMatch(/used an attempt/);
    const expired = commit(11_000, {
      operations: [{ verb: "expire", limit: 1 }],
      results: [{ verb: "expire", expired: 1, timedOut: 0 }],
      open: [failed],
    });
    expect(confirmations([called, granted, expired]).join()).toMatch(/was to come back unconfirmed/);
  });

  it("are found to be larger than their polls take, but for one alone", () => {
    const large = new Uint8Array(60);
    const two = [1, 2].map((seq) => started(task(seq, { input: large }), seq, 1));
    const grants = two.map((one) => ({ ...grant(one), maxBytes: 100 }));
    expect(replySizes([commit(1, { open: two, grants: grants.slice(0, 1) })])).toEqual([]);
    expect(replySizes([commit(1, { open: two, grants })])).toHaveLength(1);
  });
});

describe("fallbacks", () => {
  const moved = (elapsed: number): History[number] => ({
    ...commit(elapsed, {
      operations: [{ verb: "fall-back", queue, limit: 9 }],
      results: [{ verb: "fall-back", moved: 1, more: false }],
    }),
    elapsed,
  });
  const answered = {
    kind: "reply",
    call: 1,
    request: pollRequest,
    outcome: { kind: "ok", reply: { method: "poll", tasks: [], statuses: [] } },
    elapsed: 1_000,
  } as const;

  it("are found from a queue that was polled less than 10 s ago, unless its worker has said that it goes", () => {
    const goes = { method: "shutdown", requestId: "", workerId: "worker" } as const;
    expect(fallbacks([answered, moved(10_999)])).toHaveLength(1);
    expect(fallbacks([answered, moved(11_000)])).toEqual([]);
    expect(fallbacks([{ kind: "call", call: 2, actor: "worker", request: goes }, answered, moved(9_000)])).toEqual([]);
  });

  it("are found in the first 10 s of a server, to which polls of the one before it say nothing", () => {
    const opened = { kind: "opened", life: 2, epoch: 2, now: 900 } as const;
    const polls = { kind: "call", call: 1, actor: "worker", request: pollRequest } as const;
    expect(fallbacks([opened, moved(10_899)])).toHaveLength(1);
    expect(fallbacks([polls, opened, answered, moved(10_900)])).toEqual([]);
    expect(fallbacks([opened, polls, answered, moved(10_900)])).toHaveLength(1);
  });
});

describe("what operators and producers do", () => {
  it("is found to give a revision again, or to take an update that insists on another", () => {
    const set = (now: number, revision: number, expectedRevision?: number): History[number] => {
      const config = { ...noConfig, maxBacklog: 1, revision };
      const expected = expectedRevision === undefined ? {} : { expectedRevision };
      return commit(now, {
        operations: [{ verb: "configure", queue, fields: [], to: config, action, ...expected }],
        results: [{ verb: "configure", config }],
      });
    };
    expect(revisions([set(1, 4, 0), set(2, 9, 4)])).toEqual([]);
    expect(revisions([set(1, 4), set(2, 4)])).toHaveLength(1);
    expect(revisions([set(1, 4), set(2, 9, 3)])).toHaveLength(1);
  });

  it("is found to count a bulk call anew, to go beyond its limit, or on after its end", () => {
    const chunk = (now: number, changed: number, isLast = false, limit = 3): History[number] => {
      const progress = { examined: changed, changed, skipped: 0 };
      const next = { after: "1", upTo: "9", progress };
      return commit(now, {
        operations: [
          {
            verb: "change-tasks",
            namespace: "default",
            filter: {},
            change: { kind: "release" },
            dryRun: false,
            examine: 1,
            limit,
            action,
            request: { namespace: "default", id: "r" },
          },
        ],
        results: [{ verb: "change-tasks", progress, ...(!isLast && { next }) }],
      });
    };
    expect(bulks([chunk(1, 1), chunk(2, 2), chunk(3, 3, true), chunk(4, 3, true)])).toEqual([]);
    expect(bulks([chunk(1, 2), chunk(2, 1)])).toHaveLength(1);
    expect(bulks([chunk(1, 2, false, 1)])).toHaveLength(1);
    expect(bulks([chunk(1, 1, true), chunk(2, 2, true)])).toHaveLength(1);
  });

  it("is found to use the id of a closed task anew against the policy", () => {
    const closed = (state: ClosedNotice["outcome"]["state"]): History[number] => {
      const notice = { namespace: "default", id: "task-1", run: 1, attempts: 1, outcome: { state, closedAt: 1 } };
      return commit(1, { closed: [notice] });
    };
    const added = (idPolicy: NewTask["idPolicy"]): History[number] => {
      const { id, type, input, priority, fairnessKey, fairnessWeight, timeouts } = task(1);
      const more = {
        id,
        queue,
        type,
        input,
        priority,
        fairnessKey,
        fairnessWeight,
        timeouts,
        startDelayMs: 0,
        idPolicy,
      };
      return commit(2, {
        operations: [{ verb: "add", tasks: [more] }],
        results: [{ verb: "add", added: [{ id, run: 2, existed: false }] }],
      });
    };
    expect(idPolicies([closed("failed"), added("allow-if-dead")])).toEqual([]);
    expect(idPolicies([closed("completed"), added("allow")])).toEqual([]);
    expect(idPolicies([closed("completed"), added("allow-if-dead")])).toHaveLength(1);
    expect(idPolicies([closed("failed"), added("reject")])).toHaveLength(1);
  });
});
