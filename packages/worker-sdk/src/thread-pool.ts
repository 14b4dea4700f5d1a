// Threads that run handlers, a bounded number of them. Each runs one handler at a time; a handler for which no thread is free
// waits. A thread that ends, for whatever reason, fails the attempt that it ran and nothing else.

import { Worker as Thread, type ResourceLimits } from "node:worker_threads";
import type { Context } from "./context.ts";
import { ApplicationFailure, CancelledFailure } from "./failure.ts";
import type { ThreadInput, ThreadNews } from "./thread-messages.ts";
import { fromThrown } from "./thrown-in-thread.ts";

/** What a pool needs. */
export interface ThreadPoolOptions {
  readonly maxThreads: number;
  readonly idleMs: number;
  readonly terminateAfterMs: number;
  readonly terminatesOnCancel: boolean;
  readonly resourceLimits: ResourceLimits | undefined;
}

/** One handler to run. */
export interface ThreadCall {
  readonly module: string;
  readonly exportName: string;
  readonly args: readonly unknown[];
  readonly context: Context;
}

/** A thread that is free, and the timer that ends it. */
interface Idle {
  readonly thread: Thread;
  readonly timer: NodeJS.Timeout;
}

/** See the top of the file. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #idle: Idle[] = [];
  readonly #waiting: ((thread: Thread) => void)[] = [];
  #users = 0;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Threads that there are, busy or not. */
  get size(): number {
    return this.#threads.size;
  }

  /** A worker uses the pool from now on. Answers how to end that; with the last one all threads end. */
  use(): () => Promise<void> {
    this.#users++;
    return async () => {
      if (--this.#users > 0) return;
      for (const { timer } of this.#idle.splice(0)) clearTimeout(timer);
      await Promise.all([...this.#threads].map(async (thread) => thread.terminate()));
    };
  }

  /** Runs a handler in a thread, as soon as one is free. Resolves and rejects as the handler does. */
  async run(call: ThreadCall): Promise<unknown> {
    const { cancellationSignal: signal } = call.context;
    const thread = await this.#thread(signal);
    const { info } = call.context;
    thread.ref();
    const news = Promise.withResolvers<unknown>();
    let timer: NodeJS.Timeout | undefined;
    const terminateIn = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => void thread.terminate(), ms);
    };
    const onMessage = (message: ThreadNews) => {
      switch (message.kind) {
        case "heartbeat":
          call.context.heartbeat(message.details);
          return;
        case "log":
          call.context.log[message.level](message.fields, message.message);
          return;
        case "returned":
          news.resolve(message.value);
          return;
        case "threw":
          news.reject(fromThrown(message.thrown));
          return;
        case "gaveWay":
          news.reject(signal.reason as Error);
      }
    };
    const onError = (error: unknown) => {
      const message = `The handler's thread has crashed: ${error instanceof Error ? error.message : String(error)}`;
      news.reject(new ApplicationFailure({ message, type: "ThreadCrashed", cause: error }));
    };
    const onExit = (code: number) => {
      const message = `The handler's thread has ended with code ${code}`;
      news.reject(signal.aborted ? (signal.reason as Error) : new ApplicationFailure({ message, type: "ThreadEnded" }));
    };
    const onAbort = () => {
      const { reason, message } = asCancelled(signal.reason);
      tell(thread, { kind: "abort", reason, message });
      const isOver = reason === "TIMED_OUT" || reason === "LEASE_LOST";
      if (isOver || (reason === "CANCEL_REQUESTED" && this.#options.terminatesOnCancel))
        terminateIn(this.#options.terminateAfterMs);
    };
    thread.on("message", onMessage);
    thread.on("error", onError);
    thread.on("exit", onExit);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const { module, exportName, args } = call;
      tell(thread, { kind: "run", module, exportName, info: copyOf(info), args });
      return await news.promise;
    } finally {
      clearTimeout(timer);
      thread.off("message", onMessage);
      thread.off("error", onError);
      thread.off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
      this.#free(thread);
    }
  }

  /** A thread of its own for a handler. @throws the signal's reason if it aborts before there is one */
  async #thread(signal: AbortSignal): Promise<Thread> {
    signal.throwIfAborted();
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.timer);
      return idle.thread;
    }
    if (this.#threads.size < this.#options.maxThreads) return this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<Thread>();
    const onAbort = () => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      reject(signal.reason as Error);
    };
    this.#waiting.push(resolve);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #start(): Thread {
    const { resourceLimits } = this.#options;
    // Written out like this so that bundlers find the module.
    const thread = new Thread(new URL("./activity-thread.js", import.meta.url), {
      name: "tq activity",
      ...(resourceLimits !== undefined && { resourceLimits }),
    });
    this.#threads.add(thread);
    // Whoever waits for it hears of it; an idle one just goes.
    thread.on("error", () => {});
    thread.once("exit", () => {
      this.#threads.delete(thread);
      const index = this.#idle.findIndex((idle) => idle.thread === thread);
      for (const { timer } of index < 0 ? [] : this.#idle.splice(index, 1)) clearTimeout(timer);
      if (this.#threads.size < this.#options.maxThreads) this.#waiting.shift()?.(this.#start());
    });
    return thread;
  }

  /** A handler has ended. Its thread is another one's, or waits for one for a while; unless it has ended, or is about to. */
  #free(thread: Thread): void {
    if (!this.#threads.has(thread)) return;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(thread);
      return;
    }
    // A thread that is idle keeps no process alive.
    thread.unref();
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((idle) => idle.thread === thread),
        1,
      );
      void thread.terminate();
    }, this.#options.idleMs);
    timer.unref();
    this.#idle.push({ thread, timer });
  }
}

/** @throws ApplicationFailure if the arguments cannot be copied to the thread */
function tell(thread: Thread, input: ThreadInput): void {
  try {
    thread.postMessage(input);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `The task's arguments cannot be handed to a thread: ${why}`;
    throw new ApplicationFailure({ message, type: "UncopyableInput", nonRetryable: true, cause });
  }
}

/** The info as plain data: what it says is worked out as it is asked for. */
function copyOf(info: Context["info"]): Context["info"] {
  const copy: Record<string, unknown> = {};
  for (
    let part: object | null = info;
    part !== null && part !== Object.prototype;
    part = Object.getPrototypeOf(part) as object | null
  )
    for (const name of Object.getOwnPropertyNames(part)) {
      if (name !== "constructor") copy[name] ??= Reflect.get(info, name) as unknown;
    }
  return copy as unknown as Context["info"];
}

function asCancelled(reason: unknown): Pick<CancelledFailure, "reason" | "message"> {
  return reason instanceof CancelledFailure
    ? reason
    : new CancelledFailure("CANCEL_REQUESTED", "The handler is to stop");
}
