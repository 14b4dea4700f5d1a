/*
 * Every outcome of a task with an on-close is added to its queue exactly once, as a workflow task that carries it. What was
 * asked for counts, not what the store says that it was asked for.
 */
import type { ClosedNotice, OnCloseRecord, TaskRecord } from "@tq/storage";
import { commitsOf, runName, type CommitEntry, type History } from "../history.ts";
import { addedBy, tasksAskedFor } from "./added.ts";

/** What became of one run: how often it closed with an on-close, and what was added for it. */
interface Outcomes {
  readonly notices: ClosedNotice[];
  /** Those of them that may have been silent: an operator's purge was in their commit. */
  silent: number;
  readonly queues: Set<string>;
  /** By seq. */
  readonly added: Map<number, TaskRecord>;
}

/** Finds outcomes that were never added, or more than once, or that nobody asked for, or that say something else. */
export function outcomes(history: History): string[] {
  const byRun = new Map<string, Outcomes>();
  const of = (name: string): Outcomes => {
    const outcomes = byRun.get(name) ?? {
      notices: [],
      silent: 0,
      queues: new Set(),
      added: new Map<number, TaskRecord>(),
    };
    byRun.set(name, outcomes);
    return outcomes;
  };
  const asked = new Asked();
  for (const commit of commitsOf(history)) {
    asked.begin(commit);
    for (const notice of commit.closed) {
      const onClose = asked.onCloseOf(notice);
      if (onClose === undefined) continue;
      const outcomes = of(runName(notice));
      outcomes.notices.push(notice);
      if (isSilent(commit)) outcomes.silent += 1;
      outcomes.queues.add(onClose.queueName);
    }
    for (const task of commit.open) {
      const name = runOfOutcome(task);
      // A later run of it is its own: an operator drove it again.
      if (name !== undefined && task.run === 1) of(name).added.set(task.seq, task);
    }
    asked.end(commit);
  }
  return [...byRun].flatMap(([name, { notices, silent, queues, added }]) => {
    const where = [...queues].join(" and ");
    if (added.size > notices.length || added.size < notices.length - silent) {
      return [`${name} closed ${notices.length} times, and its outcome was added ${added.size} times to ${where}`];
    }
    return [...added.values()].flatMap((task) =>
      carries(task, notices) ? [] : [`${task.id} carries another outcome`],
    );
  });
}

/** On-closes, as producers and workflows asked for them. */
class Asked {
  /** Of runs that are open. */
  readonly #byRun = new Map<string, OnCloseRecord | undefined>();
  /** As last asked for: a redriven task keeps it. */
  readonly #byId = new Map<string, OnCloseRecord | undefined>();
  #inThisCommit = new Map<string, OnCloseRecord | undefined>();

  begin(commit: CommitEntry): void {
    const added = addedBy(commit);
    const asked = new Map(tasksAskedFor(commit).map((task) => [task.id, task.onClose]));
    const runs = [...commit.open, ...commit.closed].filter((task) => added.has(runName(task)) && asked.has(task.id));
    this.#inThisCommit = new Map(runs.map((task) => [runName(task), asked.get(task.id)]));
  }

  onCloseOf(task: { readonly id: string; readonly run: number }): OnCloseRecord | undefined {
    const name = runName(task);
    if (this.#byRun.has(name)) return this.#byRun.get(name);
    return this.#inThisCommit.has(name) ? this.#inThisCommit.get(name) : this.#byId.get(task.id);
  }

  end(commit: CommitEntry): void {
    for (const notice of commit.closed) this.#byRun.delete(runName(notice));
    for (const task of commit.open) {
      const name = runName(task);
      if (this.#byRun.has(name)) continue;
      if (this.#inThisCommit.has(name)) this.#byId.set(task.id, this.#inThisCommit.get(name));
      this.#byRun.set(name, this.#byId.get(task.id));
    }
    this.#inThisCommit.clear();
  }
}

const outcomeId = /^(.+)\/closed\/(\d+)(\/\d+)?$/;

/** The run whose outcome a task was added for. */
function runOfOutcome({ id }: TaskRecord): string | undefined {
  const [, closed, run] = outcomeId.exec(id) ?? [];
  return closed === undefined ? undefined : runName({ id: closed, run: Number(run) });
}

function carries({ closedTask }: TaskRecord, notices: readonly ClosedNotice[]): boolean {
  return notices.some(
    ({ outcome }) => outcome.closedAt === closedTask?.outcome.closedAt && outcome.state === closedTask.outcome.state,
  );
}

/** Whether an operator asked to leave the outcomes out. */
function isSilent(commit: CommitEntry): boolean {
  return commit.operations.some(
    (operation) => operation.verb === "change-tasks" && operation.change.kind === "purge" && operation.change.silent,
  );
}
