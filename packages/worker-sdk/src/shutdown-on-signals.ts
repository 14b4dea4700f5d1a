import { constants } from "node:os";
import { invalidField, type KnownOptions, refuseUnknownOptions, shown, withMethods } from "@tq/client/internal";
import type { StateListener, WorkerState } from "./lifecycle.ts";

/** What can be shut down: a `Worker`, or a `TaskPoller`. */
export interface Stoppable {
  shutdown(): void;
  getState(): WorkerState;
  onStateChange(listener: StateListener): () => void;
}

/** The part of Node's `process` that signals and exit statuses go through. */
export interface SignaledProcess {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
  exitCode?: number | string | null | undefined;
}

/** Options of {@link shutdownOnSignals}; all optional. */
export interface ShutdownOnSignalsOptions {
  /** Default SIGTERM and SIGINT: what container runtimes and Ctrl-C send. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Default: Node's `process`. */
  readonly process?: SignaledProcess;
}

/**
 * Shuts workers down when the process is asked to end. The first signal calls `shutdown()` of each: they take nothing new,
 * give back what was not begun, let handlers finish within their grace times, and then say in the log what was left. The
 * process then ends by itself, once nothing else keeps it; with which status is set here:
 *
 * - SIGTERM: 0, since ending was what was asked for; 1 if a worker had failed.
 * - SIGINT and others: 128 and the signal's number, such as 130, so that a script which was interrupted goes no further.
 *
 * A second signal ends the process at once, with 128 and its number: the leases of what runs expire, as after a crash.
 *
 * @returns how to take it back. It takes itself back once all have stopped.
 * @throws TqError `invalid_argument` naming what is no worker, or an option that is wrong.
 */
export function shutdownOnSignals(
  workers: Stoppable | readonly Stoppable[],
  options: ShutdownOnSignalsOptions = {},
): () => void {
  const all = Array.isArray(workers) ? (workers as readonly Stoppable[]) : [workers as Stoppable];
  for (const [index, worker] of all.entries())
    withMethods(worker, Array.isArray(workers) ? `workers[${index}]` : "workers", [
      "shutdown",
      "getState",
      "onStateChange",
    ]);
  refuseUnknownOptions(options, signalOptions);
  const { signals = ["SIGTERM", "SIGINT"], process: own = process } = options;
  requireSignals(signals);
  let first: NodeJS.Signals | undefined;

  const onSignal = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      own.exit(statusOf(signal));
      return;
    }
    first = signal;
    for (const worker of all) worker.shutdown();
    // One that never ran has nothing to wait for.
    ended();
  };
  const ended = (): void => {
    const states = all.map((worker) => worker.getState());
    if (!states.every((state) => state === "STOPPED" || state === "FAILED" || state === "INITIALIZED")) return;
    if (first === undefined && states.includes("INITIALIZED")) return;
    if (first !== undefined) own.exitCode = states.includes("FAILED") ? 1 : first === "SIGTERM" ? 0 : statusOf(first);
    takeBack();
  };
  const unwatch = all.map((worker) => worker.onStateChange(ended));
  for (const signal of signals) own.on(signal, onSignal);
  const takeBack = (): void => {
    for (const stop of unwatch) stop();
    for (const signal of signals) own.off(signal, onSignal);
  };
  return takeBack;
}

const signalOptions: KnownOptions<ShutdownOnSignalsOptions> = { signals: true, process: true };

function requireSignals(signals: unknown): void {
  if (!Array.isArray(signals)) throw invalidField("signals", `${shown(signals)} is no array`);
  for (const [index, signal] of (signals as readonly unknown[]).entries()) {
    if (typeof signal !== "string" || !Object.hasOwn(constants.signals, signal))
      throw invalidField(`signals[${index}]`, `${shown(signal)} is no signal: write it like "SIGTERM"`);
  }
}

/** The status of a process that a signal ended, as shells have it. */
function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
