// The two ways to run a renewal: in the thread that keeps the leases of all workers of this process, or in the worker's own.
//
// One thread for all, since what it costs is its start, 0.1 s of processor time even though all of it is in one file, and to be woken.
// So it also stays for the next worker of a process that begins one soon behind another: tests do, and who measures.

import { Worker } from "node:worker_threads";
import type { Client, HttpVersion } from "@tq/client";
import type { Holdings } from "./holdings.ts";
import { Renewal } from "./renewal.ts";
import type { RenewalInput, RenewalNews, RenewalSettings, SlotStatus } from "./renewal-messages.ts";
import { SharedHoldings, wakeAfterMs } from "./shared-holdings.ts";
import { SharedStatus } from "./shared-status.ts";

/** What a renewal in the thread is started with. */
export interface RenewalThreadData {
  readonly address: string;
  readonly httpVersion: HttpVersion;
  readonly namespace: string;
  readonly settings: RenewalSettings;
  /** An event loop that has stood still for so long is reported. */
  readonly blockedAfterMs: number;
  /** The worker runs in the process's main thread. */
  readonly isOwnerMain: boolean;
  /** Of a {@link SharedStatus}. */
  readonly status: SharedArrayBuffer;
}

/** What the thread is told. Renewals are told apart by numbers that this side gives them. */
export type ThreadInput =
  | { readonly kind: "open"; readonly renewal: number; readonly data: RenewalThreadData }
  | { readonly kind: "input"; readonly renewal: number; readonly input: RenewalInput }
  /** More memory that the worker writes down in what it holds. */
  | { readonly kind: "page"; readonly renewal: number; readonly memory: SharedArrayBuffer }
  /** It has something there that is worth a look. */
  | { readonly kind: "look"; readonly renewal: number }
  | { readonly kind: "close"; readonly renewal: number };

/** What the thread tells. */
export interface ThreadNews {
  readonly renewal: number;
  readonly news: RenewalNews;
}

/** A renewal, wherever it runs. */
export interface RenewalChannel {
  /** Where it is told what the worker holds. */
  readonly holdings: Holdings;
  tell(input: RenewalInput): void;
  /** Ends it. Nothing is reported afterwards. */
  stop(): Promise<void>;
}

/**
 * Runs a renewal in this thread, with the worker's client.
 *
 * @param isPolling whether a poll of the worker waits at the server
 */
export function renewHere(
  client: Client,
  settings: RenewalSettings,
  report: (news: RenewalNews) => void,
  status: () => SlotStatus,
  isPolling: () => boolean,
): RenewalChannel {
  const isSeenAlive = () => client.config.clock.isMovedByHand === true && isPolling();
  const isOwnerHeldUp = () => false;
  const isOwnerAwake = () => true;
  const renewal = new Renewal({ client, settings, report, status, isOwnerAwake, isSeenAlive, isOwnerHeldUp });
  renewal.start();
  return {
    holdings: renewal,
    tell: (input) => renewal.take(input),
    stop: async () => renewal.stop(),
  };
}

/** How long the thread stays for the next worker when it has none. It does nothing then. */
const threadStaysMs = 10_000;

/**
 * Runs a renewal in the thread, with a connection of its own. The thread begins with the first one and ends {@link threadStaysMs} behind
 * the last. It keeps no process alive, and ends with it.
 *
 * @param onGone the thread has ended by itself, or never began
 */
export function renewInThread(
  data: Omit<RenewalThreadData, "status">,
  report: (news: RenewalNews) => void,
  status: () => SlotStatus,
  onGone: (error: Error) => void,
): RenewalChannel {
  const thread = (shared ??= new RenewalThread());
  const told = new SharedStatus();
  const renewal = thread.open({ ...data, status: told.memory }, { report, onGone });
  const holdings = new SharedHoldings({
    addPage: (memory) => thread.post({ kind: "page", renewal, memory }),
    wake: () => thread.post({ kind: "look", renewal }),
    onBegun: () => told.set(status()),
    soon(callback) {
      const timer = setTimeout(callback, wakeAfterMs).unref();
      return () => clearTimeout(timer);
    },
  });
  return {
    holdings,
    tell(input) {
      told.set(status());
      thread.post({ kind: "input", renewal, input });
    },
    async stop() {
      holdings.stop();
      thread.close(renewal);
    },
  };
}

let shared: RenewalThread | undefined;

/** Whose renewal it is. */
interface Owner {
  readonly report: (news: RenewalNews) => void;
  readonly onGone: (error: Error) => void;
}

class RenewalThread {
  readonly #thread: Worker;
  readonly #owners = new Map<number, Owner>();
  #opened = 0;
  /** Nobody has needed it since it was set. */
  #ending: NodeJS.Timeout | undefined;

  constructor() {
    // Written out like this so that bundlers find the module. The build makes one file of it: scripts/bundle-renewal-thread.js.
    this.#thread = new Worker(new URL("./renewal-thread.cjs", import.meta.url), { name: "tq renewal" });
    this.#thread.on("message", ({ renewal, news }: ThreadNews) => this.#owners.get(renewal)?.report(news));
    this.#thread.on("error", (error: unknown) => this.#gone(error instanceof Error ? error : new Error(String(error))));
    this.#thread.on("exit", (code) => this.#gone(new Error(`the thread has ended with code ${code}`)));
    // Behind the listeners: one for messages would have the process wait for them again.
    this.#thread.unref();
  }

  open(data: RenewalThreadData, owner: Owner): number {
    clearTimeout(this.#ending);
    const renewal = ++this.#opened;
    this.#owners.set(renewal, owner);
    this.post({ kind: "open", renewal, data });
    return renewal;
  }

  post(input: ThreadInput): void {
    if (this.#owners.has(input.renewal)) this.#thread.postMessage(input);
  }

  close(renewal: number): void {
    if (!this.#owners.delete(renewal)) return;
    this.#thread.postMessage({ kind: "close", renewal } satisfies ThreadInput);
    if (this.#owners.size > 0) return;
    this.#ending = setTimeout(() => {
      // Somebody's clock may have kept it from being cleared.
      if (this.#owners.size > 0) return;
      this.#forget();
      void this.#thread.terminate();
    }, threadStaysMs).unref();
  }

  #gone(error: Error): void {
    clearTimeout(this.#ending);
    this.#forget();
    const owners = [...this.#owners.values()];
    this.#owners.clear();
    for (const { onGone } of owners) onGone(error);
  }

  /** The next worker begins a new one. */
  #forget(): void {
    if (shared === this) shared = undefined;
  }
}
