// The two ways to run a renewal: in a thread of its own, or in the worker's.

import { Worker } from "node:worker_threads";
import type { Client, HttpVersion } from "@tq/client";
import { Renewal } from "./renewal.ts";
import type { RenewalInput, RenewalNews, RenewalSettings } from "./renewal-messages.ts";

/** What the thread is started with. */
export interface RenewalThreadData {
  readonly address: string;
  readonly httpVersion: HttpVersion;
  readonly namespace: string;
  readonly settings: RenewalSettings;
  /** An event loop that has stood still for so long is reported. */
  readonly blockedAfterMs: number;
}

/** A renewal, wherever it runs. */
export interface RenewalChannel {
  tell(input: RenewalInput): void;
  /** Ends it. Nothing is reported afterwards. */
  stop(): Promise<void>;
}

/** Runs a renewal in this thread, with the worker's client. */
export function renewHere(
  client: Client,
  settings: RenewalSettings,
  report: (news: RenewalNews) => void,
): RenewalChannel {
  const renewal = new Renewal({ client, settings, report, isOwnerAwake: () => true });
  renewal.start();
  return {
    tell: (input) => renewal.take(input),
    stop: async () => renewal.stop(),
  };
}

/**
 * Runs a renewal in a thread of its own, with a connection of its own. The thread keeps no process alive, and ends with it.
 *
 * @param onGone the thread has ended by itself, or never began
 */
export function renewInThread(
  data: RenewalThreadData,
  report: (news: RenewalNews) => void,
  onGone: (error: Error) => void,
): RenewalChannel {
  let isOver = false;
  const end = (error: Error) => {
    if (isOver) return;
    isOver = true;
    onGone(error);
  };
  // Written out like this so that bundlers find the module.
  const thread = new Worker(new URL("./renewal-thread.js", import.meta.url), { workerData: data, name: "tq renewal" });
  thread.unref();
  thread.on("message", (news: RenewalNews) => {
    if (!isOver) report(news);
  });
  thread.on("error", (error: unknown) => end(error instanceof Error ? error : new Error(String(error))));
  thread.on("exit", (code) => end(new Error(`the thread has ended with code ${code}`)));
  return {
    tell: (input) => {
      if (!isOver) thread.postMessage(input);
    },
    stop: async () => {
      isOver = true;
      await thread.terminate();
    },
  };
}
