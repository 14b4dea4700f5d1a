// Hears at once when a task is to be canceled, or its lease is gone, also while no slot is free and so no poll waits.
//
// It is a call to RenewLeases that the server holds open until there is news for the worker. The answer has the cancel
// requests of all its tasks, but only of those that the call names does it say that their lease is gone; so for a task that
// came after the call was sent the call is replaced by a new one, at most so often: most tasks are over by then, and then
// there was no need. What is missed between two calls is told by the next one, since it says what was seen last. Where
// tasks come all the time that take a while this amounts to asking four times a second; where they are over at once, to not asking, and
// looking some twenty times a second what is still there.

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Timer, toTqError } from "@tq/client";
import type { RenewLeasesResponse } from "@tq/proto";
import type { LeaseCallOptions } from "./lease-keeper.ts";
import type { Lease } from "./lease-set.ts";

/** While no call is open, one is made once a task has been there for so long, which bounds how late a cancel is heard. */
const listenAfterMs = 50;
/** A call that is open is replaced once a task that it does not name has been there for so long, at most so often. */
const replaceAfterMs = 250;
/** How long the server is asked to hold a call. */
const holdMs = 20_000;
/** What an answer may take beyond that. */
const graceMs = 10_000;
/** The least time from call to call if the server answers at once although there is no news. */
const restMs = 1_000;

const callName = "RenewLeases (held open)";

interface HeldCall {
  readonly ending: AbortController;
  readonly tasks: ReadonlySet<Lease>;
  readonly noticesSeen: string;
}

/** See the top of the file. */
export class NoticeListener {
  readonly #options: LeaseCallOptions;
  readonly #ending = new AbortController();
  /** Of the last answer; empty before the first one, which is given at once. */
  #noticesSeen = "";
  #call: HeldCall | undefined;
  #timer: Timer | undefined;
  /** When the timer is due. */
  #lookAtMs = 0;
  #calledAtMs = Number.NEGATIVE_INFINITY;
  #isBackingOff = false;
  #failures = 0;

  constructor(options: LeaseCallOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.leases.onAdded((atMs) => this.#lookFor(atMs));
  }

  /** Listens no more. */
  stop(): void {
    this.#ending.abort();
    this.#call?.ending.abort();
    if (this.#timer !== undefined) this.#options.client.config.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #pauseMs(): number {
    return this.#call === undefined ? listenAfterMs : replaceAfterMs;
  }

  /** Looks once a task that began then has been there for long enough to matter. */
  #lookFor(atMs: number): void {
    this.#lookIn(this.#pauseMs - Math.max(0, this.#options.client.config.clock.now() - atMs));
  }

  /** Looks in a while whether a call is needed, unless it is going to sooner anyway. */
  #lookIn(delayMs: number): void {
    if (this.#isBackingOff || this.#ending.signal.aborted) return;
    const { clock } = this.#options.client.config;
    const nowMs = clock.now();
    // A clock that was set back does not put it off.
    const atMs = Math.max(nowMs + delayMs, Math.min(this.#calledAtMs, nowMs) + this.#pauseMs);
    if (this.#timer !== undefined) {
      if (this.#lookAtMs <= atMs) return;
      clock.clearTimeout(this.#timer);
    }
    this.#lookAtMs = atMs;
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#look();
      },
      Math.max(atMs - nowMs, 0),
    );
  }

  #look(): void {
    const { client, leases, link, look } = this.#options;
    look();
    const tasks = new Set<Lease>();
    // Of those that no call names.
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const lease of leases) {
      if (lease.isAnswering) continue;
      tasks.add(lease);
      if (this.#call?.tasks.has(lease) !== true) oldestMs = Math.min(oldestMs, lease.atMs);
    }
    if (tasks.size === 0) link.dropped(callName);
    if (oldestMs === Number.POSITIVE_INFINITY) return;
    // The one that this look is for may be over by now, and the others not old enough to matter. One that began later than now
    // did so before the clock was set back.
    const ageMs = client.config.clock.now() - oldestMs;
    if (ageMs < 0 || ageMs >= this.#pauseMs) {
      void this.#listen(tasks);
      return;
    }
    if (this.#call === undefined) link.dropped(callName);
    this.#lookFor(oldestMs);
  }

  /** One call, from its beginning to its answer or its replacement. Never rejects. */
  async #listen(tasks: ReadonlySet<Lease>): Promise<void> {
    const { client, link } = this.#options;
    const call: HeldCall = { ending: new AbortController(), tasks, noticesSeen: this.#noticesSeen };
    const replaced = this.#call;
    this.#call = call;
    this.#calledAtMs = client.config.clock.now();
    try {
      const answer = this.#ask(call);
      replaced?.ending.abort();
      const response = await answer;
      if (this.#call !== call) return;
      link.succeeded(callName);
      this.#call = undefined;
      this.#failures = 0;
      this.#heard(call, response);
    } catch (unknown) {
      if (this.#call !== call || this.#ending.signal.aborted) return;
      this.#call = undefined;
      // So that the next call is answered at once, and shows whether the server is back.
      this.#noticesSeen = "";
      const error = toTqError(unknown);
      link.failed(callName, error);
      this.#isBackingOff = true;
      await link.waitToRetry(++this.#failures, error, this.#ending.signal);
      this.#isBackingOff = false;
      this.#lookIn(0);
    }
  }

  #ask(call: HeldCall): Promise<RenewLeasesResponse> {
    const { client, registrations, taskQueues, status } = this.#options;
    const { worker } = registrations.reference();
    const request = {
      namespace: client.config.namespace,
      worker,
      taskQueues: [...taskQueues],
      tokens: Array.from(call.tasks, ({ token }) => token),
      status: status(),
      hold: durationFromMs(holdMs),
      noticesSeen: call.noticesSeen,
    };
    return client.services.workers.renewLeases(request, { signal: call.ending.signal, timeoutMs: holdMs + graceMs });
  }

  #heard(call: HeldCall, response: RenewLeasesResponse): void {
    const { leases, client } = this.#options;
    const news = leases.heard(response);
    // A token may have been answered while the call was on its way; it is told as lost, and that is no news.
    const isNew = news > 0 || response.lostTokens.length > 0 || response.noticesSeen !== call.noticesSeen;
    const wasHeld = client.config.clock.now() - this.#calledAtMs >= restMs;
    this.#noticesSeen = response.noticesSeen;
    this.#lookIn(isNew || wasHeld ? 0 : restMs);
  }
}
