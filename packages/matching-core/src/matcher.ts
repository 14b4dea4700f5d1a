/*
 * Who waits, and what to claim for them. The matcher holds the waiting polls and nothing else: never a task.
 *
 * Polls of one queue with the same set of types form a group, and a group is claimed for once per commit, whatever the
 * number of its polls. A group whose last claim found nothing more is dry, and costs nothing until a commit touches its
 * queue (something became ready there) or the moment comes that the store named. So neither an idle queue nor a waiting
 * poll is ever worked for.
 */
import { ChurnMap, ChurnSet } from "./churn.ts";
import { Deadlines } from "./deadlines.ts";
import type { Offer } from "./dealer.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";

/** The types that a poll takes from one of its queues; null takes every type. Sorted, without repetition. */
export type TypeSet = readonly string[] | null;

/** One queue of a poll. */
export interface PolledQueue {
  readonly queue: TaskQueue;
  readonly types: TypeSet;
}

/** A poll that waits. Compared by identity: the shell keeps its own data on it. */
export interface WaitingPoll {
  readonly offer: Offer;
  readonly queues: readonly PolledQueue[];
  /** When it is answered empty. */
  readonly until: number;
}

/** A claim to make: as many of the queue's next tasks, of these types, as these offers of the plan take. */
export interface ClaimRequest {
  readonly queue: TaskQueue;
  readonly types: TypeSet;
  /** Indexes into the plan's offers, ascending. */
  readonly offers: readonly number[];
  /** Dispatches per second: the smallest that a live worker of the queue asks for. Counts where no operator has set one. */
  readonly askedRate?: number;
}

/** What to claim in a commit. Claims are made in order; slots shared by several are counted once. */
export interface ClaimPlan<Poll extends WaitingPoll = WaitingPoll> {
  readonly polls: readonly Poll[];
  readonly claims: readonly ClaimRequest[];
  /** Whom each claim is for. */
  readonly groups: readonly PollGroup<Poll>[];
}

/** Nothing to claim. */
export const nothingToClaim: ClaimPlan<never> = { polls: [], claims: [], groups: [] };

/** What one claim found. */
export interface ClaimOutcome {
  /** The queue has no more task that these types could get now. */
  readonly dry: boolean;
  /** If dry: when that may change by time alone. Undefined: only when a commit touches the queue. */
  readonly until?: number;
}

/** Names a set of types. Types have no control characters, so "every type" cannot be mistaken for a type. */
function keyOf(types: TypeSet): string {
  return types === null ? "\u0001" : types.join("\u0000");
}

/** How many polls of a group are offered what one claim finds. More would only be looked at: those that get something
 * make room for the next ones, and the claim is repeated until the queue is dry or nobody waits. */
const offeredAtOnce = 256;

/** Polls of one queue with the same types. The matcher's own: nobody else looks into it. */
export interface PollGroup<Poll> {
  readonly queueKey: string;
  readonly queue: TaskQueue;
  readonly types: TypeSet;
  readonly polls: Set<Poll>;
  /** Whose poll came first in the last plan, and in the last one after which a poll left. */
  first: string | undefined;
  servedFirst: string | undefined;
}

/** Collects waiting polls and plans claims for them. */
export class Matcher<Poll extends WaitingPoll> {
  readonly #groups = new ChurnMap<string, Map<string, PollGroup<Poll>>>();
  readonly #polls = new ChurnSet<Poll>();
  /** Groups that may find something: new ones, touched ones, those whose last claim was cut short. */
  readonly #hot = new ChurnSet<PollGroup<Poll>>();
  readonly #ends = new Deadlines<Poll>();
  /** To 1 ms: a rate must not be missed by a tenth of a second with each dispatch. */
  readonly #wakes = new Deadlines<PollGroup<Poll>>(1);
  #round = 0;

  /** How many polls wait. */
  get size(): number {
    return this.#polls.size;
  }

  /** Whether this poll waits. */
  has(poll: Poll): boolean {
    return this.#polls.has(poll);
  }

  /** All polls that wait. */
  get polls(): Iterable<Poll> {
    return this.#polls;
  }

  /** The polls that wait for this queue, among others maybe. */
  *pollsOf(queue: TaskQueue): Iterable<Poll> {
    for (const group of this.#groups.get(taskQueueKey(queue))?.values() ?? []) yield* group.polls;
  }

  /** A poll begins to wait. */
  add(poll: Poll): void {
    this.#polls.add(poll);
    this.#ends.set(poll, poll.until);
    for (const { queue, types } of poll.queues) {
      const queueKey = taskQueueKey(queue);
      let ofQueue = this.#groups.get(queueKey);
      if (ofQueue === undefined) this.#groups.set(queueKey, (ofQueue = new Map<string, PollGroup<Poll>>()));
      const typesKey = keyOf(types);
      let group = ofQueue.get(typesKey);
      if (group === undefined) {
        group = { queueKey, queue, types, polls: new Set(), first: undefined, servedFirst: undefined };
        ofQueue.set(typesKey, group);
        this.#hot.add(group);
      }
      group.polls.add(poll);
    }
  }

  /** A poll waits no more: answered, ended by its worker, or gone. */
  delete(poll: Poll): boolean {
    if (!this.#polls.delete(poll)) return false;
    this.#ends.delete(poll);
    for (const { queue, types } of poll.queues) {
      const queueKey = taskQueueKey(queue);
      const ofQueue = this.#groups.get(queueKey);
      const typesKey = keyOf(types);
      const group = ofQueue?.get(typesKey);
      if (ofQueue === undefined || group === undefined) continue;
      group.polls.delete(poll);
      group.servedFirst = group.first;
      if (group.polls.size > 0) continue;
      this.#hot.delete(group);
      this.#wakes.delete(group);
      ofQueue.delete(typesKey);
      if (ofQueue.size > 0) continue;
      this.#groups.delete(queueKey);
    }
    return true;
  }

  /** Something may have become ready in these queues. */
  touch(queueKeys: Iterable<string>): void {
    for (const key of queueKeys) {
      for (const group of this.#groups.get(key)?.values() ?? []) this.#hot.add(group);
    }
  }

  /** Whether there is anything to claim. */
  get hot(): boolean {
    return this.#hot.size > 0;
  }

  /** What to claim now. Give the outcome of each claim back to {@link settle}. */
  plan(now: number): ClaimPlan<Poll> {
    for (const group of this.#wakes.takeDue(now)) this.#hot.add(group);
    const polls: Poll[] = [];
    const shared = new Map<Poll, number>();
    const groups = this.#hot.now();
    const claims = groups.map((group): ClaimRequest => {
      const offered = anotherFirst(firstOf(group.polls, offeredAtOnce), group.servedFirst);
      group.first = offered[0]?.offer.workerId;
      const offers = offered.map((poll) => {
        const number = shared.get(poll) ?? polls.push(poll) - 1;
        if (poll.queues.length > 1) shared.set(poll, number);
        return number;
      });
      if (offers.length > 1) offers.sort((a, b) => a - b);
      return { queue: group.queue, types: group.types, offers };
    });
    // Each round begins with another queue, so that of the queues that share slots none waits behind another's backlog.
    const start = groups.length === 0 ? 0 : this.#round++ % groups.length;
    return { polls, claims: beginningAt(claims, start), groups: beginningAt(groups, start) };
  }

  /** What the claims of a plan found. Call it before the polls that got something are deleted. */
  settle(plan: ClaimPlan<Poll>, outcomes: readonly ClaimOutcome[]): void {
    plan.groups.forEach((group, i) => {
      const outcome = outcomes[i];
      // One without polls is gone.
      if (outcome === undefined || group.polls.size === 0 || !outcome.dry) return;
      this.#hot.delete(group);
      if (outcome.until === undefined) this.#wakes.delete(group);
      else this.#wakes.set(group, outcome.until);
    });
  }

  /** Takes out the polls whose time is over: they are answered empty. */
  takeEnded(now: number): Poll[] {
    const ended = this.#ends.takeDue(now);
    for (const poll of ended) this.delete(poll);
    return ended;
  }

  /** Takes out every poll: the server is draining. */
  takeAll(): Poll[] {
    const all = this.#polls.now();
    for (const poll of all) this.delete(poll);
    return all;
  }

  /** When the next poll's time is over, at the latest. */
  nextEnd(): number | undefined {
    return this.#ends.next();
  }

  /** When a dry group is next to be tried again. Only a plan moves it on. */
  nextClaim(): number | undefined {
    return this.#wakes.next();
  }
}

function beginningAt<Item>(items: readonly Item[], start: number): readonly Item[] {
  return start === 0 ? items : [...items.slice(start), ...items.slice(0, start)];
}

/** The first so many of a set, in the order in which they came. */
function firstOf<Item>(items: ReadonlySet<Item>, count: number): Item[] {
  const first: Item[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}

/**
 * The polls as they come, unless this worker's is the first and another worker waits: whoever is dealt to first gets the task
 * that is left over, and is not to get it each time.
 */
function anotherFirst<Poll extends WaitingPoll>(polls: Poll[], servedFirst: string | undefined): Poll[] {
  if (servedFirst === undefined || polls[0]?.offer.workerId !== servedFirst) return polls;
  const next = polls.findIndex(({ offer }) => offer.workerId !== servedFirst);
  return next === -1 ? polls : [...polls.slice(next), ...polls.slice(0, next)];
}
