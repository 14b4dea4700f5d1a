import { isMainThread } from "node:worker_threads";
import { isInspected, nameRunningHandler } from "./blocking-code.ts";
import type { ConfirmationsWatcher } from "./confirmations.ts";
import { contextHere } from "./context.ts";
import type { HeldTask } from "./held-task.ts";
import type { HeldTasksWatcher } from "./held-tasks.ts";
import { Heartbeats } from "./heartbeats.ts";
import { type Logger } from "./logger.ts";
import { pulseMs } from "./loop-watch.ts";
import { renewHere, renewInThread, type RenewalChannel } from "./renewal-channel.ts";
import type { RenewalInput, RenewalNews, RenewalSettings, SlotStatus } from "./renewal-messages.ts";
import type { SessionConfig } from "./session-options.ts";

/** What the renewals need. */
export interface LeaseRenewalsOptions {
  readonly config: SessionConfig;
  readonly settings: RenewalSettings;
  readonly logger: Logger;
  readonly status: () => SlotStatus;
  /** Whether a poll of the worker waits at the server. */
  readonly isPolling: () => boolean;
  /** What is held, and which polls are not confirmed yet: for a renewal that has to begin anew. */
  readonly heldNow: () => { readonly held: Iterable<HeldTask>; readonly received: readonly string[] };
  readonly onNews: (news: Exclude<RenewalNews, { readonly kind: "unblocked" }>) => void;
}

/** How an event loop did: how often it stood still for long, and how long at most. */
export interface EventLoopStatus {
  /** How often a handler blocked the event loop, for so long that it was reported. */
  readonly blocks: number;
  /** The longest of these, in milliseconds. */
  readonly longestBlockMs: number;
}

/** How long what a thread is not in a hurry to know gathers, unless a task begins sooner: a message costs more than what is in it. */
const gatherMs = 20;
/** Well below the shortest time after which the server takes back what is not confirmed, a second; and two pulses. */
const staleAfterMs = 1_000;

interface Changes {
  readonly answering: Set<string>;
  readonly over: string[];
  readonly polling: Set<string>;
  readonly polled: string[];
  readonly received: string[];
  readonly confirmed: string[];
}

const noChanges = (): Changes => ({
  answering: new Set(),
  over: [],
  polling: new Set(),
  polled: [],
  received: [],
  confirmed: [],
});

/**
 * The worker's side of its renewal: tells it what the worker holds, and hears its news. What begins is told at once, since
 * its handler may block the event loop; the rest goes with it, or gathers for a moment.
 */
export class LeaseRenewals implements HeldTasksWatcher, ConfirmationsWatcher {
  readonly #options: LeaseRenewalsOptions;
  readonly #heartbeats: Heartbeats;
  #channel: RenewalChannel | undefined;
  #pulse: NodeJS.Timeout | undefined;
  #unname: (() => void) | undefined;
  #changes = noChanges();
  #isScheduled = false;
  #gathering: NodeJS.Timeout | undefined;
  #pulsedAtMs = 0;
  #heldUpAtMs = Number.NEGATIVE_INFINITY;
  #blocks = 0;
  #longestBlockMs = 0;

  constructor(options: LeaseRenewalsOptions) {
    this.#options = options;
    this.#heartbeats = new Heartbeats(options.config.client, options.logger, (input) => this.tell(input));
  }

  /** How the event loop did, as far as a thread looked. */
  get eventLoop(): EventLoopStatus {
    return { blocks: this.#blocks, longestBlockMs: this.#longestBlockMs };
  }

  /**
   * Whether the event loop has just stood still for so long that what has arrived meanwhile may be another worker's by now.
   * Known with the thread alone.
   */
  get wasBlocked(): boolean {
    if (this.#pulse === undefined) return false;
    const nowMs = performance.now();
    return nowMs - this.#pulsedAtMs >= staleAfterMs || nowMs - this.#heldUpAtMs < pulseMs;
  }

  start(): void {
    const { config, settings } = this.#options;
    const { address, httpVersion, namespace } = config.client.config;
    if (!config.renewsInThread || address === undefined) {
      this.#renewHere();
      return;
    }
    const { blockedAfterMs } = config;
    const data = { address, httpVersion, namespace, settings, blockedAfterMs, isOwnerMain: isMainThread };
    this.#unname = nameRunningHandler(runningHandler);
    this.#channel = renewInThread(
      data,
      (news) => this.#heard(news),
      (error) => this.#threadIsGone(error),
    );
    this.#pulsedAtMs = performance.now();
    this.#pulse = setInterval(() => this.#beat(), pulseMs);
    this.#pulse.unref();
  }

  /** Renews nothing from now on. */
  async stop(): Promise<void> {
    this.#stopPulse();
    clearTimeout(this.#gathering);
    this.#heartbeats.stop();
    const channel = this.#channel;
    this.#channel = undefined;
    await channel?.stop();
  }

  /** Tells the renewal something besides what the worker holds. */
  tell(input: RenewalInput): void {
    this.#channel?.tell(input);
  }

  begun(tasks: readonly HeldTask[]): void {
    this.#tellChanges(tasks);
  }

  /** An answer is on its way. */
  answering(key: string): void {
    this.#changes.answering.add(key);
    this.#schedule();
  }

  over(key: string): void {
    this.#changes.answering.delete(key);
    this.#changes.over.push(key);
    this.#schedule();
  }

  polling(pollId: string): void {
    this.#changes.polling.add(pollId);
    this.#schedule();
  }

  polled(pollId: string): void {
    // Made and answered before the thread knew of it.
    if (this.#changes.polling.delete(pollId)) return;
    this.#changes.polled.push(pollId);
    this.#schedule();
  }

  received(pollId: string): void {
    this.#changes.received.push(pollId);
    this.#schedule();
  }

  confirmed(pollIds: readonly string[]): void {
    this.#changes.confirmed.push(...pollIds);
    this.#schedule();
  }

  /** @throws TqError if the details cannot be serialised, or are too large */
  heartbeat(held: HeldTask, details: unknown): void {
    this.#heartbeats.heartbeat(held, details);
  }

  #beat(): void {
    const nowMs = performance.now();
    if (nowMs - this.#pulsedAtMs >= staleAfterMs) this.#heldUpAtMs = nowMs;
    this.#pulsedAtMs = nowMs;
    this.tell({ kind: "pulse", status: this.#options.status(), isInspected: isInspected() });
  }

  #stopPulse(): void {
    clearInterval(this.#pulse);
    this.#unname?.();
    this.#unname = undefined;
  }

  #renewHere(): void {
    const { config, settings, isPolling } = this.#options;
    this.#channel = renewHere(config.client, settings, (news) => this.#heard(news), isPolling);
  }

  /** Without a thread the leases are still kept, as long as no handler blocks the event loop. */
  #threadIsGone(error: Error): void {
    if (this.#channel === undefined) return;
    this.#stopPulse();
    this.#options.logger.warn(
      { error },
      "The renewal thread has ended: leases are renewed from the main thread, and a handler that blocks it loses its lease. Set renewalThread: false if no thread can run here",
    );
    this.#renewHere();
    const { held, received } = this.#options.heldNow();
    this.#changes = { ...noChanges(), received: [...received] };
    this.#tellChanges([...held]);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const tell = () => {
      this.#isScheduled = false;
      const { answering, over, polling, polled, received, confirmed } = this.#changes;
      const lists = [over, polled, received, confirmed];
      if (answering.size + polling.size > 0 || lists.some(({ length }) => length > 0)) this.#tellChanges([]);
    };
    if (this.#channel?.isThread === true) this.#gathering = setTimeout(tell, gatherMs).unref();
    else setImmediate(tell);
  }

  #tellChanges(begun: readonly HeldTask[]): void {
    const { answering, polling, ...changes } = this.#changes;
    this.#changes = noChanges();
    const keys = begun.map(({ key }) => key);
    const types = begun.map(({ task }) => task.type);
    // One that was answered, and is to be answered again.
    for (const key of keys) answering.delete(key);
    this.tell({
      kind: "update",
      begun: { keys, types },
      answering: [...answering],
      polling: [...polling],
      ...changes,
      status: this.#options.status(),
    });
  }

  #heard(news: RenewalNews): void {
    if (news.kind !== "unblocked") {
      this.#options.onNews(news);
      return;
    }
    this.#blocks++;
    this.#longestBlockMs = Math.max(this.#longestBlockMs, news.forMs);
    const { code, running } = news;
    const seconds = Number((news.forMs / 1000).toFixed(1));
    const { logger } = this.#options;
    if (code === undefined) {
      const message = "The event loop was blocked, perhaps by one of these handlers: run it with threadActivity";
      logger.warn({ seconds, handlers: running.join(", ") }, message);
    } else if (code.type === undefined) {
      logger.warn({ seconds, at: code.at }, "The event loop was blocked, by no handler of a worker");
    } else {
      const { type: handler, taskId, at } = code;
      const message = "A handler blocked the event loop: it computes without a pause. Run it with threadActivity";
      logger.warn({ seconds, handler, taskId, at }, message);
    }
  }
}

/** The handler that runs here, for the thread that asks what blocks the event loop. */
function runningHandler(): { readonly type: string; readonly taskId: string } | undefined {
  const context = contextHere();
  return context && { type: context.info.type, taskId: context.info.taskId };
}
