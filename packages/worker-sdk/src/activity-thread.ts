// A thread that runs handlers for a worker, one at a time. thread-pool.ts starts it.

import { parentPort } from "node:worker_threads";
import { type Client, systemClock } from "@tq/client";
import { Context, runWithContext } from "./context.ts";
import { ApplicationFailure, CancelledFailure, isCancellation } from "./failure.ts";
import type { TaskCache } from "./handler-cache.ts";
import type { LogFields, Logger } from "./logger.ts";
import type { ThreadInput, ThreadNews } from "./thread-messages.ts";
import { copyable, toThrown } from "./thrown-in-thread.ts";

const port = parentPort;
if (port === null) throw new Error("activity-thread.js is started by a tq worker, and not by itself");
const tell = (news: ThreadNews) => port.postMessage(news);
let cancellation = new AbortController();

port.on("message", (input: ThreadInput) => {
  switch (input.kind) {
    case "run":
      cancellation = new AbortController();
      void run(input, cancellation.signal).then(tell);
      return;
    case "abort":
      cancellation.abort(new CancelledFailure(input.reason, input.message));
  }
});

/** Runs one handler, from its loading to its end. Never rejects. */
async function run(input: ThreadInput & { readonly kind: "run" }, signal: AbortSignal): Promise<ThreadNews> {
  const context = new Context({
    info: input.info,
    cancellationSignal: signal,
    log: logger,
    clock: systemClock,
    heartbeat: (details) => tell({ kind: "heartbeat", details: copied(details, "heartbeat details") }),
    get client(): Client {
      throw new Error(
        "There is no client in a thread, since threads share no connections: make one in the handler's module with Client.create",
      );
    },
    get cache(): TaskCache {
      throw new Error(
        "There is no cache in a thread: which thread runs a task is left to chance. Handlers that keep something run without threadActivity",
      );
    },
  });
  try {
    const handler = await load(input.module, input.exportName);
    const value: unknown = await runWithContext(context, () => handler(...input.args));
    return { kind: "returned", value: copied(value, "what the handler returned") };
  } catch (error) {
    return isCancellation(error, signal) ? { kind: "gaveWay" } : { kind: "threw", thrown: toThrown(error) };
  }
}

async function load(module: string, exportName: string): Promise<(...args: readonly unknown[]) => unknown> {
  const exports = (await import(module)) as Readonly<Record<string, unknown>>;
  const handler = exports[exportName];
  if (typeof handler === "function") return handler as (...args: readonly unknown[]) => unknown;
  throw ApplicationFailure.nonRetryable(`${module} exports no function ${exportName}`, "NoSuchHandler");
}

/** @throws ApplicationFailure if it cannot be copied to the worker's thread */
function copied(value: unknown, what: string): unknown {
  try {
    structuredClone(value);
    return value;
  } catch (cause) {
    throw new ApplicationFailure({
      message: `${what} cannot be handed to another thread: ${cause instanceof Error ? cause.message : String(cause)}`,
      type: "UnserializableResult",
      nonRetryable: true,
      cause,
    });
  }
}

const log =
  (level: keyof Logger): Logger[keyof Logger] =>
  (fields, message) => {
    const plain = Object.entries(fields).map(([name, value]) => [name, copyable(value)] as const);
    tell({ kind: "log", level, fields: Object.fromEntries(plain) as LogFields, message });
  };

const logger: Logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
