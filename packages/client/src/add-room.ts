// Bounds what waits in a client to be added, so that a producer that is faster than the server does not fill the memory.
//
// Tasks take room from when they are encoded until the server has answered. While there is room an add begins at once; then
// it waits its turn, not encoded, and begins as others are answered. Who awaits is slowed down by that. Who does not
// await can pile up only so many waiting calls: beyond that they are refused.

import { TqError } from "./errors.ts";
import { type InLine, Line } from "./line.ts";

/** How much room there is. */
export interface AddRoomOptions {
  /** Most tasks that are encoded and not answered; one `addMany` may go beyond. */
  readonly maxTasks: number;
  /** Most bytes of such tasks; the last one may go beyond. */
  readonly maxBytes: number;
  /** Most calls that wait for room. */
  readonly maxWaitingCalls: number;
}

interface Waiter extends InLine {
  readonly tasks: number;
  isOver: boolean;
  begin(): void;
  reject(error: Error): void;
}

/** See the top of the file. */
export class AddRoom {
  readonly #options: AddRoomOptions;
  readonly #line = new Line<Waiter>();
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
        this.#line.gaveUp();
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
    for (let waiter = this.#line.shift(); waiter !== undefined; waiter = this.#line.shift()) {
      this.#forget(waiter);
      waiter.reject(error);
    }
  }

  #admit(): void {
    // Each leaves the line before it begins: that may admit others.
    while (this.#fits) {
      const waiter = this.#line.shift();
      if (waiter === undefined) return;
      this.#forget(waiter);
      waiter.begin();
    }
  }

  #forget(waiter: Waiter): void {
    waiter.isOver = true;
    this.#waitingCalls--;
    this.#waitingTasks -= waiter.tasks;
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
