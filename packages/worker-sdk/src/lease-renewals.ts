import { isMainThread } from "node:worker_threads";
import type { Payload } from "@tq/proto";
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
  /** What is held, and which polls are open or not confirmed yet: for a renewal that begins. */
  readonly heldNow: () => {
    readonly held: Iterable<HeldTask>;
    readonly open: readonly string[];
    readonly received: readonly string[];
  };
  readonly onNews: (news: Exclude<RenewalNews, { readonly kind: "unblocked" }>) => void;
}

/** How an event loop did: how often it stood still for long, and how long at most. */
export interface EventLoopStatus {
  /** How often a handler blocked the event loop, for so long that it was reported. */
  readonly blocks: number;
  /** The longest of these, in milliseconds. */
  readonly longestBlockMs: number;
}

/** Well below the shortest time after which the server takes back what is not confirmed, a second; and two pulses. */
const staleAfterMs = 1_000;

/**
 * The worker's side of its renewal: tells it what the worker holds, at once, since a handler that begins may block the event
 * loop; and hears its news.
 */
export class LeaseRenewals implements HeldTasksWatcher, ConfirmationsWatcher {
  readonly #options: LeaseRenewalsOptions;
  readonly #heartbeats: Heartbeats;
  #channel: RenewalChannel | undefined;
  #pulse: NodeJS.Timeout | undefined;
  #unname: (() => void) | undefined;
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
    const { config, settings, status } = this.#options;
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
      status,
      (error) => this.#threadIsGone(error),
    );
    this.#pulsedAtMs = performance.now();
    this.#pulse = setInterval(() => this.#beat(), pulseMs);
    this.#pulse.unref();
    this.#tellAll();
  }

  /** Renews nothing from now on. */
  async stop(): Promise<void> {
    this.#stopPulse();
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
    this.#channel?.holdings.begun(tasks, this.#options.config.client.config.clock.now());
  }

  /** An answer is on its way. */
  answering(key: string): void {
    this.#channel?.holdings.answering(key);
  }

  over(key: string): void {
    this.#channel?.holdings.over(key);
  }

  polling(pollId: string): void {
    this.#channel?.holdings.polling(pollId);
  }

  polled(pollId: string): void {
    this.#channel?.holdings.polled(pollId);
  }

  received(pollId: string, atMs: number): void {
    this.#channel?.holdings.received(pollId, atMs);
  }

  confirmed(pollIds: readonly string[]): void {
    this.#channel?.holdings.confirmed(pollIds);
  }

  /** @throws TqError if the details cannot be serialised, or are too large */
  heartbeat(held: HeldTask, details: unknown): void {
    this.#heartbeats.heartbeat(held, details);
  }

  /** Whether a handler gave details with its heartbeats. */
  hasDetails(held: HeldTask): boolean {
    return this.#heartbeats.hasDetails(held);
  }

  /** The latest of these details, once. Never rejects. */
  async lastDetails(held: HeldTask): Promise<Payload | undefined> {
    return this.#heartbeats.lastDetails(held);
  }

  #beat(): void {
    const nowMs = performance.now();
    if (nowMs - this.#pulsedAtMs >= staleAfterMs) this.#heldUpAtMs = nowMs;
    this.#pulsedAtMs = nowMs;
    this.tell({ kind: "pulse", isInspected: isInspected() });
  }

  #stopPulse(): void {
    clearInterval(this.#pulse);
    this.#unname?.();
    this.#unname = undefined;
  }

  #renewHere(): void {
    const { config, settings, status, isPolling } = this.#options;
    this.#channel = renewHere(config.client, settings, (news) => this.#heard(news), status, isPolling);
    this.#tellAll();
  }

  /** Tells a renewal that begins what there is already. */
  #tellAll(): void {
    const { config, heldNow } = this.#options;
    const { held, open, received } = heldNow();
    const tasks = [...held];
    this.begun(tasks);
    for (const { key, state } of tasks) if (state === "answering") this.answering(key);
    for (const pollId of open) this.polling(pollId);
    for (const pollId of received) this.received(pollId, config.client.config.clock.now());
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
