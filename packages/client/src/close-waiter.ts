// Waits for tasks to close, for any number of callers, over few held-open calls.
//
// Ids that somebody waits for are gathered into calls of GetTasks that end when one of theirs closes. A call that ends
// hands its open ids back, to go into the next one together with those that came meanwhile. A call is never broken off
// while somebody waits: a task with retention 0 is removed as it closes, and only a call that already waits sees how.
// So that newcomers find a call to go with, calls are held only briefly once half of them are in use.

import type { GetTasksResponse, Task } from "@tq/proto";
import { TqError, toTqError } from "./errors.ts";

/** What the waiter needs. */
export interface CloseWaiterOptions {
  /** Waits, for up to `waitMs`, until one of the tasks has closed; tried again as need be. */
  readonly getAnyClosed: (ids: string[], waitMs: number, signal: AbortSignal) => Promise<GetTasksResponse>;
}

interface Waiter {
  resolve(task: Task): void;
  reject(error: TqError): void;
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
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Ids that stand in no call. */
  readonly #idle = new Set<string>();
  readonly #ending = new AbortController();
  #calls = 0;
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
        this.#forget(id, waiter);
        reject(signal?.reason as Error);
      };
      const settled = () => signal?.removeEventListener("abort", onAbort);
      const waiter: Waiter = {
        resolve: (task) => (settled(), resolve(task)),
        reject: (error) => (settled(), reject(error)),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const waiters = this.#waiters.get(id);
      if (waiters !== undefined) {
        waiters.add(waiter);
        return;
      }
      this.#waiters.set(id, new Set([waiter]));
      this.#idle.add(id);
      this.#schedule();
    });
  }

  /** Ends all waiting, with `error`. */
  close(error: TqError): void {
    this.#ending.abort(error);
    for (const id of this.#waiters.keys()) this.#settle(id, (waiter) => waiter.reject(error));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#idle.size === 0 || this.#calls >= maxCalls) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#idle.size > 0 && this.#calls < maxCalls) {
        const ids: string[] = [];
        for (const id of this.#idle) {
          ids.push(id);
          this.#idle.delete(id);
          if (ids.length === maxIdsPerCall) break;
        }
        this.#calls++;
        void this.#call(ids).then(() => {
          this.#calls--;
          this.#schedule();
        });
      }
    });
  }

  /** One call for `ids`; those that are still open afterwards are idle again. Never rejects. */
  async #call(ids: string[]): Promise<void> {
    const waitMs = this.#calls > maxCalls / 2 ? shortWaitMs : longWaitMs;
    let omitted: readonly string[] = [];
    try {
      const response = await this.#options.getAnyClosed(ids, waitMs, this.#ending.signal);
      for (const task of response.tasks) {
        if (task.outcome !== undefined) this.#settle(task.id, (waiter) => waiter.resolve(task));
      }
      for (const id of response.missingIds) this.#settle(id, (waiter) => waiter.reject(missing(id)));
      omitted = response.omittedIds;
    } catch (unknown) {
      const error = toTqError(unknown);
      for (const id of ids) this.#settle(id, (waiter) => waiter.reject(error));
    }
    const open = ids.filter((id) => this.#waiters.has(id));
    // What did not fit into the answer is asked for first: a closed one among it would end every wait at once, unseen.
    const first = open.filter((id) => omitted.includes(id));
    const behind = first.length > 0 ? [...this.#idle] : [];
    for (const id of behind) this.#idle.delete(id);
    for (const id of [...first, ...behind, ...open]) this.#idle.add(id);
  }

  #settle(id: string, act: (waiter: Waiter) => void): void {
    const waiters = this.#waiters.get(id);
    this.#waiters.delete(id);
    this.#idle.delete(id);
    for (const waiter of waiters ?? []) act(waiter);
  }

  #forget(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id);
    waiters?.delete(waiter);
    if (waiters?.size !== 0) return;
    this.#waiters.delete(id);
    this.#idle.delete(id);
  }
}

function missing(id: string): TqError {
  return new TqError({
    code: "not_found",
    reason: "TASK_NOT_FOUND",
    message: `Task ${id} is not known: it was never added, or it closed and its retention is over. Give tasks whose result you want a longer retention.`,
  });
}
