import { describe, expect, it } from "vitest";
import type { Decision, Event, HistoryRecord } from "./history.ts";
import { order } from "./order.ts";
import { NondeterminismError, replay, Run } from "./replay.ts";
import { all, first, type Steps, type Workflow, type WorkflowFunction } from "./workflow.ts";

interface Api {
  a(): string;
  b(): number;
}

const options = { taskQueue: "q" };
const started: Event = { kind: "started", args: [] };
const failure = { type: "Error", message: "no" };

/** What is expected of each event, in turn. */
type Table = readonly (readonly [Event, Decision])[];

const activity = (n: number, type: string) => ({ kind: "activity", n, type, args: [], options }) as const;
const timer = (n: number, delayMs: number) => ({ kind: "timer", n, delayMs }) as const;
const cancel = (n: number, reason = "") => ({ kind: "cancel", n, reason }) as const;
const ended = "the workflow has ended";
const returned = (result: unknown, ...commands: Decision["commands"]): Decision => ({
  commands,
  end: { kind: "returned", result },
});
const commands = (...list: Decision["commands"]): Decision => ({ commands: list });

function* parallel(wf: Workflow): Steps<string> {
  const api = wf.activities<Api>(options);
  const [a, b] = yield* all(api.start("a"), api.start("b"));
  return a + b;
}

function* race(wf: Workflow): Steps<string> {
  const signal = wf.signal<string>("go");
  const timeout = wf.timer("1s");
  if ((yield* first(signal, timeout)) === timeout) return "late";
  wf.cancel(timeout);
  return yield* signal;
}

function* giveUp(wf: Workflow): Steps<string> {
  const a = wf.activities<Api>(options).start("a");
  yield* wf.timer(10);
  wf.cancel(a, "too slow");
  try {
    return yield* a;
  } catch (error) {
    return String(error);
  }
}

function* leaveOpen(wf: Workflow): Steps<number> {
  wf.activities<Api>(options).start("a");
  wf.timer(10);
  wf.send("other", "w2", "hello", { from: wf.id });
  wf.start("other", "w3", 1, 2);
  yield* all();
  return wf.nowMs;
}

function* cancelSignal(wf: Workflow): Steps<void> {
  const signal = wf.signal("go");
  wf.cancel(signal);
  yield* signal;
}

const cases: [string, WorkflowFunction, Table][] = [
  [
    "waits for two activities, whichever is first",
    parallel,
    [
      [started, commands(activity(1, "a"), activity(2, "b"))],
      [{ kind: "completed", n: 2, result: 2 }, commands()],
      [{ kind: "completed", n: 1, result: "x" }, returned("x2")],
    ],
  ],
  [
    "ends with what an activity failed with, and cancels what is open",
    parallel,
    [
      [started, commands(activity(1, "a"), activity(2, "b"))],
      [
        { kind: "failed", n: 1, failure },
        { commands: [cancel(2, ended)], end: { kind: "threw", failure } },
      ],
    ],
  ],
  [
    "lets only the first outcome of a command count",
    parallel,
    [
      [started, commands(activity(1, "a"), activity(2, "b"))],
      [{ kind: "completed", n: 1, result: "x" }, commands()],
      [{ kind: "failed", n: 1, failure }, commands()],
      [{ kind: "completed", n: 2, result: 2 }, returned("x2")],
    ],
  ],
  [
    "takes a signal, and stops the timer",
    race,
    [
      [started, commands(timer(1, 1_000))],
      [{ kind: "signaled", signal: "other", value: 1 }, commands()],
      [{ kind: "signaled", signal: "go", value: "now" }, returned("now", cancel(1))],
    ],
  ],
  [
    "takes a signal that came before the start",
    race,
    [
      [{ kind: "signaled", signal: "go", value: "early" }, commands()],
      [started, returned("early", timer(1, 1_000), cancel(1))],
    ],
  ],
  [
    "takes the timer",
    race,
    [
      [started, commands(timer(1, 1_000))],
      [{ kind: "fired", n: 1 }, returned("late")],
    ],
  ],
  [
    "hears what came of an activity that it canceled",
    giveUp,
    [
      [started, commands(activity(1, "a"), timer(2, 10))],
      [{ kind: "fired", n: 2 }, commands(cancel(1, "too slow"))],
      [
        { kind: "failed", n: 1, failure: { type: "Canceled", message: "gone" } },
        returned("ActivityError: Canceled: gone"),
      ],
    ],
  ],
  [
    "sends to others, and knows the time of the event",
    leaveOpen,
    [
      [
        started,
        returned(
          1_000,
          activity(1, "a"),
          timer(2, 10),
          {
            kind: "send",
            n: 3,
            workflow: "w2",
            type: "other",
            event: { kind: "signaled", signal: "hello", value: { from: "w" } },
          },
          { kind: "send", n: 4, workflow: "w3", type: "other", event: { kind: "started", args: [1, 2] } },
          cancel(1, ended),
          cancel(2, ended),
        ),
      ],
      [{ kind: "fired", n: 2 }, commands()],
    ],
  ],
  [
    "throws at once where a canceled signal is waited for",
    cancelSignal,
    [
      [
        started,
        {
          commands: [],
          end: { kind: "threw", failure: { type: "Canceled", message: "the workflow gave up waiting" } },
        },
      ],
    ],
  ],
];

describe("a workflow", () => {
  it.each(cases)("%s", (_, workflow, table) => {
    const run = new Run("w", workflow);
    const history: HistoryRecord[] = [];
    for (const [index, [event, decision]] of table.entries()) {
      expect(run.apply(event, 1_000)).toEqual(decision);
      history.push({ workflow: "w", type: "t", task: `${index}`, atMs: 1_000, event, decision });
      // Wherever it is stopped, it is the same again.
      replay("w", workflow, JSON.parse(JSON.stringify(history)) as HistoryRecord[]);
    }
  });

  it("is refused if its code has changed under it", () => {
    const decision = new Run("w", parallel).apply(started, 0);
    const history = [{ workflow: "w", type: "t", task: "1", atMs: 0, event: started, decision }];
    expect(() => replay("w", race, history)).toThrow(NondeterminismError);
    expect(() => replay("w", race, history)).toThrow(/record 1 \(started\).*"activity".*then and .*"timer".*now/);
  });

  it("has typed arguments and results", () => {
    const workflow: WorkflowFunction<[]> = function* (wf): Steps<number> {
      const api = wf.activities<Api>(options);
      // @ts-expect-error -- there is no such activity
      api.start("c");
      // @ts-expect-error -- it takes no arguments
      api.start("a", 1);
      return yield* api.start("b");
    };
    expect(new Run("w", workflow).apply(started, 0).commands.length).toBe(3);
    expect(new Run("w", order).apply({ kind: "signaled", signal: "approved" }, 0)).toEqual({ commands: [] });
  });
});
