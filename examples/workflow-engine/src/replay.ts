import { durationToMs } from "@tq/client";
import {
  asJson,
  type Command,
  type Decision,
  type End,
  type Event,
  type Failure,
  type HistoryRecord,
} from "./history.ts";
import { ActivityError, Future, type Steps, type Workflow, type WorkflowFunction } from "./workflow.ts";

const canceled: Failure = { type: "Canceled", message: "the workflow gave up waiting" };

/** The code of a workflow does not lead to what its history says: it was changed while the workflow was under way. */
export class NondeterminismError extends Error {
  override readonly name = "NondeterminismError";
}

/**
 * One workflow between two of its events: a generator that stands at a `yield`, and what it waits for. Pure: the same
 * events lead to the same decisions, always. So a workflow needs no state on disk but its events.
 */
export class Run {
  readonly #start: (wf: Workflow, ...args: never[]) => Steps<unknown>;
  readonly #workflow: Workflow;
  /** What was asked for and is open, by command number. */
  readonly #open = new Map<number, { readonly kind: "activity" | "timer"; readonly future: Future<unknown> }>();
  /** For each signal: futures that wait for one, or values that wait for a future. One of the two is empty. */
  readonly #signals = new Map<string, { readonly waiting: Future<unknown>[]; readonly values: unknown[] }>();
  #steps: Steps<unknown> | undefined;
  #commands: Command[] = [];
  #lastNumber = 0;
  #nowMs = 0;
  #end: End | undefined;

  constructor(id: string, start: WorkflowFunction) {
    this.#start = start;
    this.#workflow = this.#api(id);
  }

  /** Takes in one event, goes on as far as the workflow can, and answers what it decided. */
  apply(event: Event, atMs: number): Decision {
    if (this.#end !== undefined) return { commands: [] };
    this.#commands = [];
    this.#nowMs = atMs;
    this.#take(event);
    this.#resume();
    // As it will be read back; and nothing that the workflow may change later.
    return asJson({ commands: this.#commands, ...(this.#end !== undefined && { end: this.#end }) });
  }

  #take(event: Event): void {
    switch (event.kind) {
      case "started":
        this.#steps ??= this.#start(this.#workflow, ...(event.args as never[]));
        return;
      case "signaled": {
        const { waiting, values } = this.#signal(event.signal);
        const future = waiting.shift();
        if (future === undefined) values.push(event.value);
        else future.settle({ value: event.value });
        return;
      }
      case "completed":
        return this.#settle(event.n, { value: event.result });
      case "failed":
        return this.#settle(event.n, { failure: event.failure });
      case "fired":
        return this.#settle(event.n, { value: undefined });
    }
  }

  /** An outcome that nobody waits for any more (a timer that fired as it was canceled, say) changes nothing. */
  #settle(n: number, settled: { value: unknown } | { failure: Failure }): void {
    this.#open.get(n)?.future.settle(settled);
    this.#open.delete(n);
  }

  /** Runs the generator up to its next wait. Signals may come before the start: they wait for it. */
  #resume(): void {
    if (this.#steps === undefined) return;
    try {
      const step = this.#steps.next();
      if (step.done !== true) return;
      this.#end = { kind: "returned", result: step.value };
    } catch (error) {
      this.#end = { kind: "threw", failure: failureOf(error) };
    }
    for (const n of this.#open.keys()) this.#commands.push({ kind: "cancel", n, reason: "the workflow has ended" });
  }

  #api(id: string): Workflow {
    // oxlint-disable-next-line typescript/no-this-alias -- the getter below has a `this` of its own
    const run = this;
    return {
      id,
      get nowMs() {
        return run.#nowMs;
      },
      activities: (options) => ({
        start: (type, ...args) =>
          this.#ask("activity", (n) => ({ kind: "activity", n, type, args, options })) as Future<never>,
      }),
      timer: (delay) => {
        const delayMs = durationToMs(delay, "delay");
        return this.#ask("timer", (n) => ({ kind: "timer", n, delayMs })) as Future<void>;
      },
      signal: <T>(name: string) => {
        const future = new Future<unknown>();
        const { waiting, values } = this.#signal(name);
        if (values.length === 0) waiting.push(future);
        else future.settle({ value: values.shift() });
        return future as Future<T>;
      },
      cancel: (future, reason = "") => this.#cancel(future, reason),
      start: (type, workflow, ...args) => this.#send(workflow, type, { kind: "started", args }),
      send: (type, workflow, signal, value) => this.#send(workflow, type, { kind: "signaled", signal, value }),
    };
  }

  #ask(kind: "activity" | "timer", command: (n: number) => Command): Future<unknown> {
    const n = ++this.#lastNumber;
    const future = new Future<unknown>();
    this.#open.set(n, { kind, future });
    this.#commands.push(command(n));
    return future;
  }

  #send(workflow: string, type: string, event: Extract<Command, { kind: "send" }>["event"]): void {
    this.#commands.push({ kind: "send", n: ++this.#lastNumber, workflow, type, event });
  }

  #cancel(future: Future<unknown>, reason: string): void {
    for (const [n, open] of this.#open) {
      if (open.future !== future) continue;
      this.#commands.push({ kind: "cancel", n, reason });
      // A canceled timer never comes back; a canceled activity does, with its outcome.
      if (open.kind === "timer") this.#settle(n, { failure: canceled });
      return;
    }
    for (const { waiting } of this.#signals.values()) {
      const index = waiting.indexOf(future);
      if (index !== -1) waiting.splice(index, 1);
    }
    future.settle({ failure: canceled });
  }

  #signal(name: string): { readonly waiting: Future<unknown>[]; readonly values: unknown[] } {
    let signal = this.#signals.get(name);
    if (signal === undefined) this.#signals.set(name, (signal = { waiting: [], values: [] }));
    return signal;
  }
}

/**
 * The run that these records lead to.
 *
 * @throws NondeterminismError if the function decides otherwise than recorded.
 */
export function replay(id: string, workflow: WorkflowFunction, history: readonly HistoryRecord[]): Run {
  const run = new Run(id, workflow);
  for (const [index, { event, atMs, decision }] of history.entries()) {
    const now = JSON.stringify(run.apply(event, atMs));
    const then = JSON.stringify(decision);
    if (now === then) continue;
    throw new NondeterminismError(
      `workflow ${id} does not repeat its history at record ${index + 1} (${event.kind}): it decided ${then} then and ` +
        `${now} now. Run it with the code it was started with, or give the changed workflow another type.`,
    );
  }
  return run;
}

function failureOf(error: unknown): Failure {
  if (error instanceof ActivityError) return error.failure;
  if (error instanceof Error) return { type: error.name, message: error.message };
  return { type: "Error", message: String(error) };
}
