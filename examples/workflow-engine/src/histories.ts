import { ApplicationFailure, type CacheStatus, HandlerCache } from "@tq/worker-sdk";
import { asJson, type Event, type HistoryRecord } from "./history.ts";
import { replay, Run } from "./replay.ts";
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

/** The histories of all workflows, and what to answer to a task. Pure: the caller writes the log. */
export class Histories {
  readonly #workflows: WorkflowTable;
  readonly #entries = new Map<string, Entry>();
  /** Workflows that stand ready for their next event. */
  readonly #runs: HandlerCache;

  /** @param maxRuns Most workflows that stand ready for their next event. */
  constructor(workflows: WorkflowTable, maxRuns = Infinity) {
    this.#workflows = workflows;
    this.#runs = new HandlerCache({ maxEntries: maxRuns, maxBytes: Infinity, weigh: () => 1 });
  }

  /** What keeping workflows ready came to. */
  get runCache(): CacheStatus {
    return this.#runs.status;
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
    if (decision.end === undefined) this.#runs.set(workflow, run);
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
    const kept = history.length === 0 ? undefined : this.#runs.get(workflow);
    this.#runs.delete(workflow);
    return kept instanceof Run ? kept : replay(workflow, this.#workflow(type), history);
  }

  #workflow(type: string): WorkflowFunction {
    const workflow = Object.hasOwn(this.#workflows, type) ? this.#workflows[type] : undefined;
    if (workflow !== undefined) return workflow;
    throw new UnknownWorkflowError(`no workflow "${type}" is registered with this engine`);
  }
}
