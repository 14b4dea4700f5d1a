import { type Duration, durationToMs } from "@tq/client";
import {
  invalidField,
  type KnownOptions,
  optionalNumber,
  refuseUnknownOptions,
  isThenable,
  shown,
} from "@tq/client/internal";
import { Quiet } from "./quiet.ts";

/** A timer that waits. */
interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** How far {@link ManualClock.skipUntil} may move the clock. */
export interface SkipOptions {
  /**
   * The most that the clock is moved. Default 1 day: longer than the retries of a usual policy take, and short enough that a
   * promise which never settles is told within seconds, though workers call the server every few seconds all the while.
   */
  readonly atMost?: Duration;
}

const skipOptions: KnownOptions<SkipOptions> = { atMost: true };

/** Of a function that was not called, or a promise that was awaited, the clock would be moved for nothing. */
function requirePromise(promise: unknown): void {
  if (isThenable(promise)) return;
  const hint = typeof promise === "function" ? ": call it" : "";
  throw invalidField("promise", `${shown(promise)} is no promise${hint}`);
}

/**
 * A clock that stands still until a test moves it. It is the clock of a server (`createServer({clock})`), of a client
 * and of a worker alike, so one `advance` moves them all. Before a timer fires, all that was set off before has come to
 * rest; {@link ManualClock.hold} is for what cannot be seen.
 */
export class ManualClock {
  #now: number;
  #order = 0;
  #moving: Promise<unknown> = Promise.resolve();
  readonly #timers = new Set<Waiting>();
  readonly #quiet = new Quiet();
  readonly #startedAt: number;

  /** @param startAt wall time at the beginning, in ms since the epoch; default 2026-01-01T00:00:00Z */
  constructor(startAt = Date.UTC(2026, 0, 1)) {
    optionalNumber(startAt, "startAt");
    this.#now = startAt;
    this.#startedAt = startAt;
  }

  /** For workers, which make fewer calls then: see `Clock` of `@tq/client`. */
  readonly isMovedByHand = true;

  /** Ms since the epoch. */
  now = (): number => this.#now;
  /** The same, as a server asks for it. */
  wallNow = (): number => this.#now;
  /** Ms since the clock was made. */
  monotonicNow = (): number => this.#now - this.#startedAt;

  /** Calls back when the clock has been moved so far. Answers how to take it back. */
  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = this.#set(delayMs, callback);
    return () => void this.#timers.delete(timer);
  };

  /** Calls back when the clock has been moved so far. Answers what {@link clearTimeout} takes. */
  setTimeout = (callback: () => void, delayMs: number): object => this.#set(delayMs, callback);

  /** Takes a timer back; one that has fired is no error. */
  clearTimeout = (timer: object): void => {
    this.#timers.delete(timer as Waiting);
  };

  /** Calls back in the next round of the event loop: this is about order, not about time. */
  soon = (callback: () => void): void => void setImmediate(callback);

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** What decides whether the clock may move on: for servers and transports that run on it. */
  get quiet(): Pick<Quiet, "note" | "begin" | "watchRequests"> {
    return this.#quiet;
  }

  /**
   * Moves the clock on. Every timer on the way fires at its own time, in order, and what it sets off comes to rest
   * before the next one fires. Calls that overlap move it one after the other.
   *
   * @param duration ms, or text such as `"1h"`
   * @throws TqError `invalid_argument` if it is no duration; Error if something does not come to rest.
   */
  async advance(duration: Duration): Promise<void> {
    const ms = durationToMs(duration, "duration");
    return this.#move(async () => {
      const until = this.#now + ms;
      await this.settle();
      for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
        this.#fire(next);
        await this.settle();
      }
      this.#now = until;
      await this.settle();
    });
  }

  /**
   * Jumps from timer to timer until a promise has settled, and answers or throws what it does. The clock then stands at the
   * timer that led to it, or where it was if none was needed.
   *
   * @throws TqError `invalid_argument` if it is given no promise; Error if no timer is left that could lead to it, or it has not
   *   settled after `atMost`.
   */
  async skipUntil<Value>(promise: Promise<Value>, options: SkipOptions = {}): Promise<Value> {
    requirePromise(promise);
    refuseUnknownOptions(options, skipOptions);
    const { atMost = "1d" } = options;
    const ms = durationToMs(atMost, "atMost");
    let hasSettled = false;
    const settled = () => void (hasSettled = true);
    promise.then(settled, settled);
    return this.#move(async () => {
      const from = this.#now;
      await this.settle();
      while (!hasSettled) {
        const next = this.#next(Infinity);
        if (next === undefined) {
          throw new Error(
            "The promise will not settle: no timer is left to fire, and nothing is under way. Is it waiting for a worker " +
              "that does not run, or for something real that the clock was not told of with hold()?",
          );
        }
        if (next.at > from + ms) {
          throw new Error(
            `The promise did not settle within ${String(atMost)} of the clock's time. Give skipUntil a longer \`atMost\` ` +
              "if it needs more; else look at what it waits for: is there a worker that has the handler?",
          );
        }
        this.#fire(next);
        await this.settle();
      }
      return promise;
    });
  }

  /** Lets everything that has begun come to rest, without moving the clock. @throws Error if something does not. */
  async settle(): Promise<void> {
    await this.#quiet.reached();
  }

  /**
   * Stands still until a promise has settled, however the clock is moved meanwhile. For what a handler really waits for:
   * a child process, a thread, a socket. (Files, crypto, compression and name look-ups are seen without.)
   */
  hold<Value>(promise: Promise<Value>): Promise<Value> {
    requirePromise(promise);
    return this.#quiet.hold(promise, "a promise that hold() was given");
  }

  async #move<Value>(move: () => Promise<Value>): Promise<Value> {
    const moved = this.#moving.then(move);
    this.#moving = moved.then(
      () => undefined,
      () => undefined,
    );
    return moved;
  }

  #set(delayMs: number, callback: () => void): Waiting {
    const timer = { at: this.#now + Math.max(delayMs, 0), order: this.#order++, callback };
    this.#timers.add(timer);
    this.#quiet.note();
    return timer;
  }

  #fire(timer: Waiting): void {
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, timer.at);
    timer.callback();
  }

  #next(until: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}

/** @throws TqError `invalid_argument` if a clock was given that a test cannot move. */
export function requireManualClock(clock: unknown): void {
  if (clock !== undefined && !(clock instanceof ManualClock))
    throw invalidField("clock", `${shown(clock)} is no ManualClock, which is the only kind that a test can move`);
}
