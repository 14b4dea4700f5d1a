// Bounds what waits in a client to be added, so that a producer that is faster than the server does not fill the memory.
//
// Tasks take room from when they are encoded until the server has answered. While there is room an add begins at once; then
// it waits its turn, not encoded, and begins as others are answered. Who awaits is slowed down by that. Who does not
// await can pile up only so many waiting calls: beyond that they are refused.

import { TqError } from "./errors.ts";

/** How much room there is. */
export interface AddRoomOptions {
  /** Most tasks that are encoded and not answered; one `addMany` may go beyond. */
  readonly maxTasks: number;
  /** Most bytes of such tasks; the last one may go beyond. */
  readonly maxBytes: number;
  /** Most calls that wait for room. */
  readonly maxWaitingCalls: number;
}

interface Waiter {
  readonly tasks: number;
  /** It has begun, or was refused. */
  isOver: boolean;
  begin(): void;
  reject(error: Error): void;
}

/** As many empty places may be at the front of the line before it is moved up. */
const maxEmpty = 1_024;

/** See the top of the file. */
export class AddRoom {
  readonly #options: AddRoomOptions;
  /** In an array, not in a set: tables that a set has grown out of keep what was in them, until a full collection. */
  #line: (Waiter | undefined)[] = [];
  /** Where the line begins. */
  #head = 0;
  #waitingCalls = 0;
  readonly #onEmpty: (() => void)[] = [];
  #tasks = 0;
  #bytes = 0;
  #waitingTasks = 0;

  constructor(options: AddRoomOptions) {
    this.#options = options;
  }

  /** Tasks that have room. */
  get tasks(): number {
    return this.#tasks;
  }

  /** Tasks that wait for room. */
  get waitingTasks(): number {
    return this.#waitingTasks;
  }

  /** Whether an add may begin at once. */
  get isFree(): boolean {
    return this.#waitingCalls === 0 && this.#fits;
  }

  get #fits(): boolean {
    return this.#tasks < this.#options.maxTasks && this.#bytes < this.#options.maxBytes;
  }

  /** Takes room. */
  enter(tasks: number, bytes: number): void {
    this.#tasks += tasks;
    this.#bytes += bytes;
  }

  /** Gives room back, and lets those begin that wait for it. */
  leave(tasks: number, bytes: number): void {
    this.#tasks -= tasks;
    this.#bytes -= bytes;
    if (this.#waitingCalls > 0) this.#admit();
    if (this.#tasks === 0 && this.#waitingCalls === 0) for (const listener of this.#onEmpty.splice(0)) listener();
  }

  /** Begins an add of so many tasks once there is room, after all that came before. `begin` takes the room as it is called. */
  wait<T>(tasks: number, begin: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#waitingCalls >= this.#options.maxWaitingCalls) return Promise.reject(tooManyWait(this.#waitingCalls));
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        this.#forget(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        tasks,
        isOver: false,
        begin: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(begin());
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#line.push(waiter);
      this.#waitingCalls++;
      this.#waitingTasks += tasks;
    });
  }

  /** Resolves once nothing has room or waits for it. */
  async empty(): Promise<void> {
    if (this.#tasks === 0 && this.#waitingCalls === 0) return;
    await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  /** Refuses all that wait. */
  refuse(error: Error): void {
    for (const waiter of this.#line.slice(this.#head)) {
      if (waiter !== undefined && this.#forget(waiter)) waiter.reject(error);
    }
  }

  #admit(): void {
    while (this.#fits) {
      const waiter = this.#line[this.#head];
      if (waiter === undefined) break;
      // Before it begins: that may admit others.
      this.#line[this.#head++] = undefined;
      if (this.#forget(waiter)) waiter.begin();
    }
    if (this.#head < maxEmpty && this.#waitingCalls > 0) return;
    this.#line = this.#line.slice(this.#head);
    this.#head = 0;
  }

  /** Answers whether it still waited. */
  #forget(waiter: Waiter): boolean {
    if (waiter.isOver) return false;
    waiter.isOver = true;
    this.#waitingCalls--;
    this.#waitingTasks -= waiter.tasks;
    return true;
  }
}

function tooManyWait(calls: number): TqError {
  return new TqError({
    code: "resource_exhausted",
    message:
      `${calls} adds wait in this client already, since the server is slower than they come: await them, or add with addAll, ` +
      "which takes no more from its source than there is room for",
  });
}
