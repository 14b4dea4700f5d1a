/* Every cell of the table of transitions in docs/protocol.md, gone through with the store. */
import { readFileSync } from "node:fs";
import type { Answer, AnswerStatus, ChangeTasksOperation, DispatchedTask, TaskChange, TaskRecord } from "@tq/storage";
import { activities, Driver, failure, type SomeTask } from "@tq/storage/exercise";
import { describe, expect, it } from "vitest";
import { sqlite } from "../test/home.ts";

const document = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
const states = ["scheduled", "ready", "started", "closed"] as const;
type State = (typeof states)[number];

const second = 1_000;
const day = 86_400_000;
const elsewhere = { ...activities, name: "elsewhere" };
const fallback = { queueName: elsewhere.name };

/** One task, and what has been done with it. */
interface Case {
  readonly d: Driver;
  /** Its last delivery, whether or not that is current. */
  readonly task: DispatchedTask | undefined;
}

/** What an event is, and what the task must say for it to happen. */
interface Event {
  readonly task?: Partial<SomeTask>;
  /** Answers attempts in these ways: what became of the answer is told. */
  readonly happens: (one: Case) => Promise<AnswerStatus["status"] | undefined>;
}

const answered = (how: (task: DispatchedTask) => Answer, task: Partial<SomeTask> = {}): Event => ({
  task,
  happens: async ({ d, task: delivery }) => {
    if (delivery === undefined) throw new Error("it was never delivered");
    return (await d.answer(how(delivery))).status;
  },
});

const passes = (ms: number, task: Partial<SomeTask> = {}): Event => ({
  task,
  happens: async ({ d }) => void (await d.pass(ms)),
});

const changes = (change: TaskChange): Event => ({
  happens: async ({ d }) => {
    const action = { actor: "alice", reason: "", call: "Test", request: "{}" };
    const named = { namespace: "default", filter: { ids: ["a"] }, dryRun: false, examine: 100 };
    const operation: ChangeTasksOperation = { verb: "change-tasks", ...named, change, action };
    await d.run(operation);
    return undefined;
  },
});

const returned = (why: "undelivered" | "unconfirmed"): Event => ({
  happens: async ({ d, task }) => {
    if (task !== undefined) await d.giveBack(why, task);
    return undefined;
  },
});

/** The rows of the table, by their first cell. */
const events: Readonly<Record<string, Event>> = {
  "added again, with its id": { happens: async ({ d }) => void (await d.tryAdd([{ id: "a" }])) },
  "delay or back-off over": passes(100 * day),
  "dispatched: a poller has its type, and no limit, pause or serial key holds it back": {
    happens: async ({ d }) => void (await d.claimOne()),
  },
  "answered as completed": answered(({ lease }) => ({ lease, kind: "completed", commands: [] })),
  // Of an activity any command is.
  "answered as completed, with a command that is refused": answered(({ lease }) => ({
    lease,
    kind: "completed",
    commands: [{ command: "cancel", id: "b", reason: "" }],
  })),
  "answered as failed": answered(({ lease }) => ({ lease, kind: "failed", failure: failure() })),
  "answered as canceled, after a cancel request": answered(({ lease }) => ({
    lease,
    kind: "canceled",
    failure: failure("Canceled"),
  })),
  "answered as canceled, without one": answered(({ lease }) => ({
    lease,
    kind: "canceled",
    failure: failure("Canceled"),
  })),
  "answered as released": answered(({ lease }) => ({ lease, kind: "released", reason: "", toFallback: false })),
  "answered as released to its fallback": answered(
    ({ lease }) => ({ lease, kind: "released", reason: "", toFallback: true }),
    { fallback },
  ),
  "answered as released to its fallback, and it has none": answered(({ lease }) => ({
    lease,
    kind: "released",
    reason: "",
    toFallback: true,
  })),
  "its poll's answer reached nobody": returned("undelivered"),
  "not confirmed in time, up to three times in a row": returned("unconfirmed"),
  "not confirmed in time, the fourth time in a row": {
    happens: async ({ d, task }) => {
      let delivery = task;
      for (let times = 1; delivery !== undefined; times++) {
        await d.giveBack("unconfirmed", delivery);
        // After a cancel request the first time ends it.
        delivery = times < 4 ? (await d.claim())[0] : undefined;
      }
      return undefined;
    },
  },
  "lease expired": passes(30 * second),
  "start-to-close over": passes(5 * second, { timeouts: { startToCloseMs: 5 * second } }),
  "heartbeat over": passes(5 * second, { timeouts: { heartbeatMs: 5 * second } }),
  "schedule-to-start over, with a fallback": passes(5 * second, {
    timeouts: { scheduleToStartMs: 5 * second },
    fallback,
  }),
  "schedule-to-start over, without one": passes(5 * second, { timeouts: { scheduleToStartMs: 5 * second } }),
  "its queue had no live worker for 10 s, with a fallback": {
    task: { fallback },
    happens: async ({ d }) => void (await d.run({ verb: "fall-back", queue: activities, limit: 100 })),
  },
  "schedule-to-close over": passes(5 * second, { timeouts: { scheduleToCloseMs: 5 * second } }),
  "`CancelTasks`": { happens: async ({ d }) => void (await d.cancel(["a"])) },
  "`CancelTasks` with `force`": { happens: async ({ d }) => void (await d.cancel(["a"], true)) },
  "`PurgeTasks`, `DeleteTaskQueue` with `purge`": changes({ kind: "purge", silent: false }),
  "`MoveTasks`": changes({ kind: "move", to: elsewhere }),
  "`ReleaseTasks`": changes({ kind: "release" }),
  "`RedriveTasks`": changes({ kind: "redrive" }),
  "kept long enough": passes(100 * day),
};

/** One cell of the table. */
interface Cell {
  readonly event: string;
  readonly from: State;
  readonly says: string;
  readonly usesAttempt: string;
}

function cells(): readonly Cell[] {
  const section = document.slice(document.indexOf("\n## Transitions\n"), document.indexOf("\n**retry.**"));
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(1).flatMap((row) => {
    const [event = "", ...rest] = row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    const usesAttempt = rest.at(-1) ?? "";
    return states.map((from, i) => ({ event, from, says: rest[i] ?? "", usesAttempt }));
  });
}

/** How a case is to be prepared, beside what its event needs. */
interface Preparation {
  readonly cancelRequested?: boolean;
  readonly lastAttempt?: boolean;
  readonly dead?: boolean;
}

/** What became of the task. */
interface After {
  readonly state: TaskRecord["state"] | "gone";
  readonly task: TaskRecord | undefined;
  readonly status: AnswerStatus["status"] | undefined;
}

/** Brings a task into a state, and lets the event happen. A stale delivery is there for the states without a lease. */
async function run(cell: Cell, { cancelRequested, lastAttempt, dead }: Preparation = {}): Promise<After> {
  const event = events[cell.event];
  if (event === undefined) throw new Error(`nobody knows how this happens: ${cell.event}`);
  const d = await Driver.open(sqlite);
  try {
    const isLost = cell.says.startsWith("lost");
    const retryPolicy = { initialIntervalMs: second, backoffCoefficient: 1, maximumIntervalMs: second, jitter: 0 };
    const delayed = cell.from === "scheduled" && !isLost;
    await d.add({
      id: "a",
      ...event.task,
      startDelayMs: delayed ? 50 * day : 0,
      retryPolicy: { ...retryPolicy, maximumAttempts: lastAttempt ? 1 : 3, nonRetryableFailureTypes: [] },
    });
    let task: DispatchedTask | undefined;
    if (!delayed && (cell.from !== "ready" || isLost)) task = await d.claimOne();
    if (cell.from === "closed" && task !== undefined) {
      if (dead) await d.fail(task, failure("Boom", { nonRetryable: true }));
      else await d.complete(task);
    } else if (isLost) {
      await d.pass(30 * second);
      if (cell.from === "ready") await d.pass(second);
    }
    if (cancelRequested) await d.cancel(["a"]);
    const status = await event.happens({ d, task });
    const [after] = await d.store.getTasks("default", ["a"]);
    return { state: after?.state ?? "gone", task: after, status };
  } finally {
    await d.dispose();
  }
}

const stateBefore = (from: State): string => (from === "closed" ? "completed" : from);
const toState = (name: string): string => name.toLowerCase().replaceAll("_", "-");
const failureType = (says: string): string | undefined => /failure type `(\w+)`/.exec(says)?.[1];

describe("the transitions of docs/protocol.md", () => {
  const all = cells();

  it("are those that this spec goes through", () => {
    expect([...new Set(all.map(({ event }) => event))]).toEqual(Object.keys(events));
    expect(all.filter(({ says }) => says !== "").length).toBeGreaterThan(60);
  });

  it.each(all.filter(({ says }) => says !== ""))("$from, $event: $says", async (cell) => {
    const { event, from, says, usesAttempt } = cell;
    const before = stateBefore(from);

    if (says.startsWith("retry")) {
      const again = await run(cell);
      expect([again.state, again.task?.attempt]).toEqual(["scheduled", 1]);
      const type = failureType(says) ?? "Boom";
      expect(again.task?.failedAttempts.map((one) => one.failure.type)).toEqual([type]);
      const last = await run(cell, { lastAttempt: true });
      expect(last.state).toBe(says.includes("ends as `TIMED_OUT`") ? "timed-out" : "failed");
      expect(last.task?.outcome?.failure?.type).toBe(type);
      // A worker that says canceled after having been asked to has a row of its own.
      if (!event.startsWith("answered as canceled")) {
        expect((await run(cell, { cancelRequested: true })).state).toBe("canceled");
      }
      expect(usesAttempt).toBe("yes");
      return;
    }
    if (says.startsWith("dead: ")) {
      const dead = await run(cell, { dead: true });
      expect([dead.state, dead.task?.run, dead.task?.attempt]).toEqual(["ready", 2, 0]);
      expect((await run(cell)).state).toBe(before);
      return;
    }

    const wasAsked = from === "started" && event.includes("after a cancel request");
    const { state, task, status } = await run(cell, { cancelRequested: wasAsked });
    if (says.startsWith("lost")) expect([state, status]).toEqual([before, "lease-lost"]);
    else if (says.startsWith("already answered")) expect([state, status]).toEqual([before, "already-answered"]);
    else if (says.startsWith("refused, or replaced")) expect([state, task?.run]).toEqual([before, 1]);
    else if (says === "removed") expect(state).toBe("gone");
    else if (says.startsWith("stays") || says === "skipped") expect(state).toBe(before);
    else {
      expect(state).toBe(toState(/^`([A-Z_]+)`/.exec(says)?.[1] ?? ""));
      expect(task?.queue.name).toBe(/(fallback|other) queue/.test(says) ? elsewhere.name : activities.name);
      if (failureType(says) !== undefined) expect(task?.outcome?.failure?.type).toBe(failureType(says));
      if (from === "started") expect(task?.attempt).toBe(usesAttempt === "yes" ? 1 : 0);
    }
    if (says.includes("refused with the command's index")) expect(status).toBe("refused");
    if (says.includes("`CANCELED` after a cancel request")) {
      expect((await run(cell, { cancelRequested: true })).state).toBe("canceled");
    }
    if (says.includes("it is never started again")) expect(task?.started?.cancelRequested).toBe(true);
  });
});
