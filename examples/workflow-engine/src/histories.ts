import { ApplicationFailure } from "@tq/worker-sdk";
import { asJson, type Event, type HistoryRecord } from "./history.ts";
import { replay, type Run } from "./replay.ts";
import type { WorkflowFunction, WorkflowTable } from "./workflow.ts";

/** An event as a task brings it. */
export interface Arrival {
  readonly workflow: string;
  readonly type: string;
  /** Id of the task. */
  readonly task: string;
  readonly event: Event;
}

/** What is known of one workflow. */
interface Entry {
  /** All of it while the workflow is open; the last record once it has ended. */
  history: HistoryRecord[];
  /** Tasks whose events are in the history. */
  readonly tasks: Set<string>;
  hasEnded: boolean;
}

/** Nobody has written this workflow, or it was taken out: an engine that has it may come. */
export class UnknownWorkflowError extends Error {
  override readonly name = "UnknownWorkflowError";
}

/** A task that no engine will ever be able to handle. */
export class BadEventError extends Error {
  override readonly name = "BadEventError";

  /** The same as a failure that tq does not try again. */
  forGood(): ApplicationFailure {
    return ApplicationFailure.nonRetryable(this.message, this.name);
  }
}

/** What the cache of runs came to. */
export interface RunCacheFigures {
  /** Events of a workflow that stood ready for them. */
  readonly hits: number;
  /** Events of a workflow that was replayed first: after a restart, or since others had taken its place. */
  readonly misses: number;
}

/** The histories of all workflows, and what to answer to a task. Pure: the caller writes the log. */
export class Histories {
  readonly #workflows: WorkflowTable;
  readonly #entries = new Map<string, Entry>();
  /** Workflows that stand ready, the least recently used first. */
  readonly #runs = new Map<string, Run>();
  readonly #maxRuns: number;
  #hits = 0;
  #misses = 0;

  /** @param maxRuns Most workflows that stand ready for their next event. */
  constructor(workflows: WorkflowTable, maxRuns = Infinity) {
    this.#workflows = workflows;
    this.#maxRuns = maxRuns;
  }

  /** What keeping runs came to. */
  get runCache(): RunCacheFigures {
    return { hits: this.#hits, misses: this.#misses };
  }

  /** Takes in a record of the log. */
  restore(record: HistoryRecord): void {
    this.#add(this.#entry(record.workflow), record);
  }

  /**
   * The record that a task leads to. `isNew`: it is not in the log yet, and has to be on disk before the task is
   * answered. No record: the workflow had ended, and the event changes nothing.
   *
   * Serial keys see to it that of one workflow's tasks only the last one can come a second time without its answer
   * having been accepted; so that record's commands are answered again, and any other repeat with none.
   */
  handle(
    arrival: Arrival,
    nowMs: number,
    check: (record: HistoryRecord) => void = () => {},
  ): { readonly record: HistoryRecord | undefined; readonly isNew: boolean } {
    const entry = this.#entry(arrival.workflow);
    const last = entry.history.at(-1);
    if (last?.task === arrival.task) return { record: last, isNew: false };
    if (entry.hasEnded || entry.tasks.has(arrival.task)) return { record: undefined, isNew: false };

    const known = entry.history[0]?.type ?? arrival.type;
    if (known !== arrival.type) {
      throw new BadEventError(`workflow ${arrival.workflow} is of type "${known}", not "${arrival.type}"`);
    }
    const run = this.#takeRun(arrival, entry.history);
    const event = asJson(arrival.event);
    const decision = run.apply(event, nowMs);
    const { workflow, type, task } = arrival;
    const record: HistoryRecord = { workflow, type, task, atMs: nowMs, event, decision };
    check(record);
    this.#add(entry, record);
    this.#keepRun(workflow, run, decision.end !== undefined);
    return { record, isNew: true };
  }

  /** Workflows that have not ended. */
  get openCount(): number {
    let count = 0;
    for (const { hasEnded } of this.#entries.values()) if (!hasEnded) count++;
    return count;
  }

  #entry(workflow: string): Entry {
    let entry = this.#entries.get(workflow);
    if (entry === undefined) {
      entry = { history: [], tasks: new Set(), hasEnded: false };
      this.#entries.set(workflow, entry);
    }
    return entry;
  }

  #add(entry: Entry, record: HistoryRecord): void {
    entry.history.push(record);
    entry.tasks.add(record.task);
    if (record.decision.end === undefined) return;
    entry.hasEnded = true;
    entry.history = [record];
    entry.tasks.clear();
  }

  /**
   * The workflow as it stands before this event. It is taken out: should the workflow fail on the event, it may have gone
   * on past its history, and is made anew for the next one.
   */
  #takeRun({ workflow, type }: Arrival, history: readonly HistoryRecord[]): Run {
    const kept = this.#runs.get(workflow);
    this.#runs.delete(workflow);
    if (kept !== undefined) this.#hits++;
    else if (history.length > 0) this.#misses++;
    return kept ?? replay(workflow, this.#workflow(type), history);
  }

  #keepRun(workflow: string, run: Run, hasEnded: boolean): void {
    if (hasEnded) return;
    this.#runs.set(workflow, run);
    if (this.#runs.size <= this.#maxRuns) return;
    for (const oldest of this.#runs.keys()) {
      this.#runs.delete(oldest);
      return;
    }
  }

  #workflow(type: string): WorkflowFunction {
    const workflow = Object.hasOwn(this.#workflows, type) ? this.#workflows[type] : undefined;
    if (workflow !== undefined) return workflow;
    throw new UnknownWorkflowError(`no workflow "${type}" is registered with this engine`);
  }
}
