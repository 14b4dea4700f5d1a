/*
 * The polls that wait, from their arrival to their answer. Each has three ends: it gets tasks, it is answered empty (its
 * time is over, its caller is gone, its worker or the server stops), or another poll with its id takes its place.
 */
import {
  ChurnMap,
  Deadlines,
  earliest,
  Matcher,
  nothingToClaim,
  takesTasks,
  taskQueueKey,
  workerKey,
  type ClaimPlan,
  type ClaimRequest,
  type LiveWorker,
  type Registrations,
  type TaskQueue,
  type WaitingPoll,
  type Workers,
} from "@tq/matching-core";
import type { ClaimOrder, Committed, DispatchedTask, RepollOperation } from "@tq/storage";
import type { ServerTime } from "../clock.ts";
import type { Confirmations } from "./confirmations.ts";
import type { PollCall } from "./matching.ts";
import type { Rates } from "./rates.ts";

/** How long an answer may be on its way to a connection that is found broken: longer than any call is held. */
const repeatsKeptMs = 120_000;
/** Room in an answer for what is not tasks. */
const replyOverheadBytes = 64 * 1024;

/** What waiting polls need from the engine around them. */
export interface PollSurroundings {
  readonly time: ServerTime;
  readonly workers: Workers;
  readonly confirmations: Confirmations;
  readonly rates: Rates;
  readonly maxReplyBytes: number;
  /** How many tasks that this poll was given are still leased to its worker. */
  readonly countLeased: (call: PollCall) => Promise<number>;
  readonly repoll: (operation: RepollOperation) => Promise<readonly DispatchedTask[]>;
  /** Gives deliveries back that reached nobody. */
  readonly giveBack: (tasks: readonly DispatchedTask[]) => void;
  /** A poll began to wait: there may be something to claim, or to wake for. */
  readonly arrived: () => void;
}

/** A poll that has an id, and so can be superseded or ended. */
interface Named {
  readonly supersede: () => void;
  readonly endEmpty: () => void;
}

interface Poll extends WaitingPoll {
  readonly call: PollCall;
  readonly worker: LiveWorker;
  readonly key: string | undefined;
  readonly end: (tasks: readonly DispatchedTask[] | undefined) => void;
}

/** What a poll begins to wait with. */
interface Arrived extends Pick<Poll, "call" | "worker" | "key" | "end"> {
  readonly registrations: Registrations;
  /** Its caller went away. */
  readonly gone: () => void;
}

/** A poll that has arrived: what it was given before has been looked up, and it is for its caller to say when it begins to wait. */
export interface ArrivedPoll {
  /** Begins to wait for tasks, unless it has begun or ended. */
  begin(): void;
  /** The same, in a transaction that is under way, before it is planned what to claim. */
  beginInCommit(): void;
  /** Its caller wants nothing of it any more: what it was given goes back. */
  abandon(): void;
  /** What it got. Undefined: another poll took its place. */
  readonly tasks: Promise<readonly DispatchedTask[] | undefined>;
}

/** Collects waiting polls, plans what to claim for them, and answers them. */
export class WaitingPolls {
  readonly #surroundings: PollSurroundings;
  readonly #matcher = new Matcher<Poll>();
  /** Those that have an id, by worker and id, from their arrival to their end. */
  readonly #byKey = new ChurnMap<string, Named>();
  /** How often a poll was answered again with what it had been given, lately: its earlier answers count no more. */
  readonly #repeats = new Map<string, number>();
  readonly #repeatsKept = new Deadlines<string>();
  #plan: ClaimPlan<Poll> = nothingToClaim;
  #ended = false;

  constructor(surroundings: PollSurroundings) {
    this.#surroundings = surroundings;
  }

  get size(): number {
    return this.#matcher.size;
  }

  /** Whether there is something to claim. */
  get wantsClaim(): boolean {
    return this.#matcher.hot;
  }

  /** Takes a poll in, in the place of any other with its id. */
  async arrive(call: PollCall, worker: LiveWorker): Promise<ArrivedPoll> {
    const { promise: tasks, resolve } = Promise.withResolvers<readonly DispatchedTask[] | undefined>();
    const key = call.pollId === "" ? undefined : pollKey(call.worker.namespace, call.worker.workerId, call.pollId);
    let waiting: Poll | undefined;
    let given: readonly DispatchedTask[] | "nothing yet" = "nothing yet";
    const gone = (): void => end([]);
    const end = (outcome: readonly DispatchedTask[] | undefined): void => {
      if (given !== "nothing yet") return;
      given = outcome ?? [];
      if (waiting !== undefined) this.#endWaiting(waiting, gone);
      if (key !== undefined && this.#byKey.get(key) === here) this.#byKey.delete(key);
      resolve(outcome);
    };
    const here: Named = { supersede: () => end(undefined), endEmpty: () => end([]) };
    const begin = (): void => {
      if (given !== "nothing yet" || waiting !== undefined) return;
      const registrations = this.#surroundings.workers.registrationsOf(worker);
      if (registrations === undefined || call.signal.aborted || this.#ended) end([]);
      // One that goes is to go. One that is drained hears of it at once, and is then held like any that finds nothing.
      else if (worker.shuttingDown || (worker.draining && !worker.toldOfDrain)) end([]);
      else waiting = this.#beginWaiting({ call, worker, key, registrations, end, gone });
    };
    if (key !== undefined) {
      this.#byKey.get(key)?.supersede();
      this.#byKey.set(key, here);
      try {
        // Before anything else is asked of the worker: what it was given is its own, whatever it has registered.
        const again = await this.#givenBefore(call, key, () => given !== "nothing yet");
        if (again.length > 0) end(again);
      } catch (error) {
        end([]);
        throw error;
      }
    }
    return {
      tasks,
      beginInCommit: begin,
      begin: () => {
        begin();
        if (waiting === undefined || given !== "nothing yet") return;
        // Others wait for the same, so there is nothing: no commit is needed to know it.
        if (call.waitMs === 0 && !this.wantsClaim) end([]);
        else this.#surroundings.arrived();
      },
      abandon: () => {
        if (given !== "nothing yet" && given.length > 0) this.#surroundings.giveBack(given);
        end([]);
      },
    };
  }

  /** What to claim, now that these queues were touched. */
  plan(touched: ReadonlyMap<string, TaskQueue>, now: number): ClaimOrder {
    this.#matcher.touch(touched.keys());
    this.#plan = this.#matcher.plan(now);
    const { polls, claims } = this.#plan;
    return { offers: polls.map(({ offer }) => offer), claims: claims.map((claim) => this.#atAskedRate(claim)) };
  }

  /** These may find something now, though no commit touched them: what their workers ask for has changed. */
  touch(queueKey: string): void {
    this.#matcher.touch([queueKey]);
  }

  /** The plan was carried out: answers those that got something. */
  committed(committed: Committed): void {
    this.#matcher.settle(this.#plan, committed.claims);
    this.#matcher.touch(committed.touched.keys());
    this.#plan.polls.forEach((poll, i) => {
      const tasks = committed.granted[i] ?? [];
      if (tasks.length > 0) this.#granted(poll, tasks, committed.now);
    });
    this.#plan = nothingToClaim;
  }

  /** Answers empty what has waited long enough. */
  endOverdue(now: number): void {
    for (const poll of this.#matcher.takeEnded(now)) poll.end([]);
    for (const key of this.#repeatsKept.takeDue(now)) this.#repeats.delete(key);
  }

  /** What was planned could not be claimed: those polls wait, and are planned for again when their queues are touched. */
  claimsFailed(): void {
    this.#matcher.settle(
      this.#plan,
      this.#plan.claims.map(() => ({ dry: true })),
    );
    this.#plan = nothingToClaim;
  }

  /** Answers one poll empty, if it is there and was not answered: its worker cannot read what it would bring. */
  endOne(key: string): void {
    this.#byKey.get(key)?.endEmpty();
  }

  /** Answers a worker's polls empty: it is going. */
  endOf(worker: LiveWorker): void {
    for (const poll of this.#matcher.polls) if (poll.worker === worker) poll.end([]);
  }

  /** Answers all of them empty, and those that still come: the server is stopping. */
  endAll(): void {
    this.#ended = true;
    for (const poll of this.#matcher.takeAll()) poll.end([]);
  }

  /** Slots that waiting polls offer to a queue, by worker. */
  freeSlots(queue: TaskQueue): ReadonlyMap<string, number> {
    const free = new Map<string, number>();
    for (const { worker, offer } of this.#matcher.pollsOf(queue)) {
      free.set(worker.workerId, (free.get(worker.workerId) ?? 0) + offer.slots);
    }
    return free;
  }

  /** When a poll ends by time, or something is forgotten, at the latest. */
  nextWake(): number | undefined {
    return earliest(this.#matcher.nextEnd(), this.#repeatsKept.next());
  }

  /** When a claim that found nothing is next to be tried again. */
  nextClaim(): number | undefined {
    return this.#matcher.nextClaim();
  }

  #beginWaiting(arrived: Arrived): Poll {
    const { call, worker, key, registrations, end, gone } = arrived;
    const { time, workers, maxReplyBytes } = this.#surroundings;
    const poll: Poll = {
      call,
      worker,
      key,
      end,
      offer: {
        workerId: call.worker.workerId,
        pollId: call.pollId,
        leaseMs: call.leaseMs,
        ...(call.confirmWithinMs !== undefined && { confirmMs: call.confirmWithinMs }),
        slots: call.maxTasks,
        maxBytes: maxReplyBytes - replyOverheadBytes,
      },
      queues: takesTasks(worker) ? call.queues.map((queue) => ({ queue, types: registrations[queue.kind] })) : [],
      until: time.now() + call.waitMs,
    };
    call.signal.addEventListener("abort", gone);
    workers.asks(worker, call.queues, call.askedRate);
    this.#matcher.add(poll);
    return poll;
  }

  #endWaiting(poll: Poll, gone: () => void): void {
    this.#matcher.delete(poll);
    poll.call.signal.removeEventListener("abort", gone);
  }

  /** The tasks that this poll was given when it was made before, and that are still leased to it. */
  async #givenBefore(call: PollCall, key: string, isSuperseded: () => boolean): Promise<readonly DispatchedTask[]> {
    const { countLeased, repoll, maxReplyBytes, time } = this.#surroundings;
    if ((await countLeased(call)) === 0) return [];
    // From now on an earlier answer of this poll that turns out not to have arrived gives nothing back.
    this.#repeats.set(key, (this.#repeats.get(key) ?? 0) + 1);
    this.#repeatsKept.set(key, time.now() + repeatsKeptMs);
    const { namespace, workerId } = call.worker;
    const maxBytes = maxReplyBytes - replyOverheadBytes;
    const confirm = call.confirmWithinMs === undefined ? {} : { confirmMs: call.confirmWithinMs };
    const tasks = await repoll({ verb: "repoll", namespace, workerId, pollId: call.pollId, maxBytes, ...confirm });
    this.#expectConfirmation(call, key, tasks);
    // The one that took its place has asked for them, too.
    if (!isSuperseded()) this.#onTheirWay(call, key, tasks);
    return tasks;
  }

  #granted(poll: Poll, tasks: readonly DispatchedTask[], now: number): void {
    const { giveBack } = this.#surroundings;
    this.#count(tasks, now);
    this.#expectConfirmation(poll.call, poll.key, tasks);
    // It may have gone while the commit was under way, in an engine that does not block.
    if (!this.#matcher.has(poll)) {
      giveBack(tasks);
      return;
    }
    this.#onTheirWay(poll.call, poll.key, tasks);
    poll.end(tasks);
  }

  #count(tasks: readonly DispatchedTask[], now: number): void {
    const { rates } = this.#surroundings;
    for (let from = 0; from < tasks.length;) {
      const queue = tasks[from]?.queue;
      let to = from + 1;
      while (to < tasks.length && tasks[to]?.queue === queue) to += 1;
      if (queue !== undefined) rates.dispatched(taskQueueKey(queue), to - from, now);
      from = to;
    }
  }

  /** A claim with the rate that the live workers of its queue ask for. */
  #atAskedRate(claim: ClaimRequest): ClaimRequest {
    const askedRate = this.#surroundings.workers.askedRate(taskQueueKey(claim.queue));
    return askedRate === undefined ? claim : { ...claim, askedRate };
  }

  #expectConfirmation(call: PollCall, key: string | undefined, tasks: readonly DispatchedTask[]): void {
    if (call.confirmWithinMs === undefined || tasks.length === 0) return;
    const { time, confirmations } = this.#surroundings;
    const leases = tasks.map(({ lease }) => lease);
    confirmations.expect(key, leases, time.now() + call.confirmWithinMs);
  }

  #onTheirWay(call: PollCall, key: string | undefined, tasks: readonly DispatchedTask[]): void {
    if (tasks.length === 0) return;
    const { giveBack } = this.#surroundings;
    const repeats = key === undefined ? undefined : this.#repeats.get(key);
    call.delivery.onUndelivered(() => {
      if (key === undefined || this.#repeats.get(key) === repeats) giveBack(tasks);
    });
  }
}

/** Names a poll of a worker. */
export function pollKey(namespace: string, workerId: string, pollId: string): string {
  return `${workerKey({ namespace, workerId })}\u0000${pollId}`;
}
