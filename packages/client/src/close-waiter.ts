// Waits for tasks to close, for any number of callers, over few held-open calls.
//
// Ids that somebody waits for are gathered into calls of GetTasks that end when one of theirs closes. A call that ends
// hands its open ids back, to go into the next one together with those that came meanwhile. A call is never broken off
// while somebody waits: a task with retention 0 is removed as it closes, and only a call that already waits sees how.
// So that newcomers find a call to go with, calls are held only briefly once half of them are in use.

import type { GetTasksResponse, Task } from "@tq/proto";
import { TqError, toTqError } from "./errors.ts";
import { type InLine, Line } from "./line.ts";

/** What the waiter needs. */
export interface CloseWaiterOptions {
  /** Waits, for up to `waitMs`, until one of the tasks has closed; tried again as need be. */
  readonly getAnyClosed: (ids: string[], waitMs: number, signal: AbortSignal) => Promise<GetTasksResponse>;
}

interface Waiter extends InLine {
  readonly id: string;
  /** It has heard, or given up. */
  isOver: boolean;
  resolve(task: Task): void;
  reject(error: Error): void;
}

/** As long as the server holds a call. */
const longWaitMs = 60_000;
const shortWaitMs = 1_000;
/** A held call takes a connection, of HTTP/1.1. */
const maxCalls = 32;
/** Each time one of them closes the answer brings all of them, so not as many as the contract allows. */
const maxIdsPerCall = 200;

/** See the top of the file. */
export class CloseWaiter {
  readonly #options: CloseWaiterOptions;
  readonly #ending = new AbortController();
  /** Those that stand in no call, in order. */
  readonly #idle = new Line<Waiter>();
  /** Those that stand in each of the calls under way. */
  readonly #calls: (readonly Waiter[])[] = [];
  #isScheduled = false;

  constructor(options: CloseWaiterOptions) {
    this.#options = options;
  }

  /** The task as it is once it has closed. Rejects with the signal's reason if that aborts first. */
  wait(id: string, signal?: AbortSignal): Promise<Task> {
    if (this.#ending.signal.aborted) return Promise.reject(toTqError(this.#ending.signal.reason));
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        waiter.reject(signal?.reason as Error);
        this.#idle.gaveUp();
      };
      const isLate = () => {
        signal?.removeEventListener("abort", onAbort);
        const was = waiter.isOver;
        waiter.isOver = true;
        return was;
      };
      const waiter: Waiter = {
        id,
        isOver: false,
        resolve: (task) => isLate() || resolve(task),
        reject: (error) => isLate() || reject(error),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#idle.push(waiter);
      this.#schedule();
    });
  }

  /** Ends all waiting, with `error`. */
  close(error: TqError): void {
    this.#ending.abort(error);
    for (const waiter of this.#calls.flat()) waiter.reject(error);
    for (let waiter = this.#idle.shift(); waiter !== undefined; waiter = this.#idle.shift()) waiter.reject(error);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#idle.first() === undefined || this.#calls.length >= maxCalls) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#idle.first() !== undefined && this.#calls.length < maxCalls) {
        const waiters = this.#take();
        this.#calls.push(waiters);
        void this.#call(waiters).then(() => {
          this.#calls.splice(this.#calls.indexOf(waiters), 1);
          this.#schedule();
        });
      }
    });
  }

  /** Those of the next call: from the front, as many as there may be ids in it. */
  #take(): readonly Waiter[] {
    const ids = new Set<string>();
    const taken: Waiter[] = [];
    for (let waiter = this.#idle.first(); waiter !== undefined; waiter = this.#idle.first()) {
      if (!ids.has(waiter.id) && ids.size === maxIdsPerCall) break;
      ids.add(waiter.id);
      taken.push(waiter);
      this.#idle.shift();
    }
    return taken;
  }

  /** One call for those who wait; those who still do afterwards are idle again. Never rejects. */
  async #call(waiters: readonly Waiter[]): Promise<void> {
    const waitMs = this.#calls.length > maxCalls / 2 ? shortWaitMs : longWaitMs;
    const byId = Map.groupBy(waiters, ({ id }) => id);
    let omitted: ReadonlySet<string> = new Set();
    try {
      const response = await this.#options.getAnyClosed([...byId.keys()], waitMs, this.#ending.signal);
      for (const task of response.tasks) {
        if (task.outcome !== undefined) for (const waiter of byId.get(task.id) ?? []) waiter.resolve(task);
      }
      for (const id of response.missingIds) for (const waiter of byId.get(id) ?? []) waiter.reject(missing(id));
      omitted = new Set(response.omittedIds);
    } catch (unknown) {
      const error = toTqError(unknown);
      for (const waiter of waiters) waiter.reject(error);
    }
    const open = waiters.filter(({ isOver }) => !isOver);
    // What did not fit into the answer is asked for first: a closed one among it would end every wait at once, unseen.
    this.#idle.unshift(open.filter(({ id }) => omitted.has(id)));
    for (const waiter of open) if (!omitted.has(waiter.id)) this.#idle.push(waiter);
  }
}

function missing(id: string): TqError {
  return new TqError({
    code: "not_found",
    reason: "TASK_NOT_FOUND",
    message: `Task ${id} is not known: it was never added, or it closed and its retention is over. Give tasks whose result you want a longer retention.`,
  });
}
