/*
 * What a worker mentions is its own until its lease ends; what it does not mention in time comes back, over a restart too,
 * the first three times in a row without using an attempt.
 */
import type { TaskRecord } from "@tq/storage";
import { leaseName, leaseOfToken, runName, type CommitEntry, type Entry, type History } from "../history.ts";
import { LiveLeases, type LiveLease } from "./live-leases.ts";

/** What comes back so often in a row costs nothing. */
const free = 3;
/** How late a server may notice that a time is over. */
const noticedWithinMs = 200;

/** Finds deliveries that came back though they were mentioned, that did not come back, or that cost what they should not. */
export function confirmations(history: History): string[] {
  const wrong: string[] = [];
  const live = new LiveLeases();
  const mentions = new Mentions();
  const returns = new Returns();
  const confirmWithin = confirmWithinOf(history);
  for (const entry of history) {
    mentions.follow(entry);
    const change = live.follow(entry);
    if (change === undefined) continue;
    const { commit, ended } = change;
    const after = new Map(commit.open.map((task) => [task.seq, task]));
    for (const lease of ended) {
      const withinMs = confirmWithin.get(lease.workerId);
      const how = howItEnded(commit, lease);
      const name = `${runName(lease.task)} of ${lease.workerId}`;
      if (how === "unconfirmed" && mentions.isHeard(lease)) {
        wrong.push(`${name} came back as unconfirmed at ${commit.now}, and was mentioned`);
      }
      const overdueAt = lease.confirmFrom + (withinMs ?? Infinity) + noticedWithinMs;
      if (how === "expired" && !mentions.mayBe(lease) && commit.now > overdueAt) {
        wrong.push(`${name} ended by time at ${commit.now}, and was to come back unconfirmed before ${overdueAt}`);
      }
      const cost = returns.cost(lease, how, after.get(lease.task.lease.seq));
      if (cost !== undefined) wrong.push(`${name} ${cost} at ${commit.now}`);
    }
    returns.follow(commit);
  }
  return wrong;
}

/** What workers have said that they have. */
class Mentions {
  readonly #heard = new Set<string>();
  readonly #heardPolls = new Set<string>();
  readonly #sent = new Set<string>();
  readonly #sentPolls = new Set<string>();

  follow(entry: Entry): void {
    if (entry.kind === "commit") {
      entry.operations.forEach((operation, i) => {
        const result = entry.results[i];
        if (operation.verb === "renew" && result?.verb === "renew")
          for (const lease of operation.leases) this.#heard.add(leaseName(lease));
      });
    }
    if (entry.kind !== "call" && entry.kind !== "reply") return;
    const { request } = entry;
    const isHeard = entry.kind === "reply" && entry.outcome.kind === "ok";
    if (request.method === "poll" || request.method === "renew") {
      for (const pollId of request.receivedPollIds) {
        this.#sentPolls.add(`${request.workerId} ${pollId}`);
        if (isHeard) this.#heardPolls.add(`${request.workerId} ${pollId}`);
      }
    }
    if (request.method === "renew") for (const token of request.tokens) this.#sent.add(leaseOfToken(token));
    if (request.method === "poll" || request.method === "respond")
      for (const { token } of request.answers) this.#sent.add(leaseOfToken(token));
  }

  /** Whether a call that mentions it was answered. */
  isHeard({ task, workerId, pollId }: LiveLease): boolean {
    return this.#heard.has(leaseName(task.lease)) || (pollId !== "" && this.#heardPolls.has(`${workerId} ${pollId}`));
  }

  /** Whether a call was made that mentions it, heard or not. */
  mayBe({ task, workerId, pollId }: LiveLease): boolean {
    return this.#sent.has(leaseName(task.lease)) || (pollId !== "" && this.#sentPolls.has(`${workerId} ${pollId}`));
  }
}

type Ending = "unconfirmed" | "expired" | "answered" | "otherwise";

function howItEnded(commit: CommitEntry, { task }: LiveLease): Ending {
  const name = leaseName(task.lease);
  for (const [i, operation] of commit.operations.entries()) {
    const result = commit.results[i];
    if (operation.verb === "return" && operation.leases.some((lease) => leaseName(lease) === name))
      return operation.why === "unconfirmed" ? "unconfirmed" : "otherwise";
    if (operation.verb === "answer" && result?.verb === "answer" && "statuses" in result) {
      const at = operation.answers.findIndex(({ lease }) => leaseName(lease) === name);
      if (result.statuses[at]?.status === "accepted") return "answered";
    }
    if ((operation.verb === "cancel" && operation.force) || operation.verb === "change-tasks") return "otherwise";
  }
  return commit.operations.some(({ verb }) => verb === "expire") ? "expired" : "otherwise";
}

/** How often in a row each task has come back unconfirmed. */
class Returns {
  readonly #counts = new Map<number, number>();
  #failures = new Map<number, string>();

  /** What is wrong with what an end cost; undefined: nothing. */
  cost({ task }: LiveLease, how: Ending, after: TaskRecord | undefined): string | undefined {
    const { seq } = task.lease;
    if (how === "answered") this.#counts.delete(seq);
    if (how !== "unconfirmed") return undefined;
    const count = (this.#counts.get(seq) ?? 0) + 1;
    this.#counts.set(seq, count);
    // It closed: its cancel had been asked for, or it was its last attempt.
    if (after === undefined) return undefined;
    const hasCost = failureOf(after) !== (this.#failures.get(seq) ?? "");
    if (count <= free && hasCost) return `used an attempt, coming back unconfirmed for the ${count}. time in a row`;
    if (count > free && !hasCost) return `used no attempt, coming back unconfirmed for the ${count}. time in a row`;
    return undefined;
  }

  /** A failed attempt, for whatever reason, begins the row anew. */
  follow({ open }: CommitEntry): void {
    const failures = new Map(open.map((task) => [task.seq, failureOf(task)]));
    for (const seq of this.#counts.keys()) {
      if (failures.get(seq) !== (this.#failures.get(seq) ?? "")) this.#counts.delete(seq);
    }
    this.#failures = failures;
  }
}

function failureOf({ run, failedAttempts }: TaskRecord): string {
  const last = failedAttempts.at(-1);
  return last === undefined ? `${run}` : `${run} ${last.run} ${last.attempt} ${last.failedAt}`;
}

/** Within what time each worker confirms what it gets. */
export function confirmWithinOf(history: History): ReadonlyMap<string, number> {
  const confirmWithin = new Map<string, number>();
  for (const entry of history) {
    if (entry.kind !== "call" || entry.request.method !== "poll") continue;
    const { workerId, confirmWithinMs } = entry.request;
    if (confirmWithinMs !== undefined) confirmWithin.set(workerId, confirmWithinMs);
  }
  return confirmWithin;
}
