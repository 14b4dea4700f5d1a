// Handlers that a test runs in threads.

import { ApplicationFailure, Context, ReleaseToFallback } from "@tq/worker-sdk";

/** Says what a handler in a thread is told, and does what it can. */
export async function tellAll(name: string): Promise<object> {
  const { info, log, cancellationSignal } = Context.current();
  Context.current().heartbeat({ step: 1 });
  log.warn({ name, odd: () => 1 }, "from a thread");
  await Context.current().sleep(1);
  const { taskId, attempt, startedAt, taskToken } = info;
  return { name, taskId, attempt, startedAt, taskToken: taskToken.length, isAborted: cancellationSignal.aborted };
}

export function fail(): never {
  throw new ApplicationFailure({
    message: "no such picture",
    type: "NoPicture",
    nonRetryable: true,
    details: [{ path: "a.png" }],
    cause: new TypeError("inner"),
  });
}

/** Computes without a pause, for so long. */
export function spin(ms: number): string {
  for (const endsAt = performance.now() + ms; performance.now() < endsAt;);
  return "spun";
}

export function exit(): never {
  process.exit(7);
}

/** Throws where nobody waits for it. */
export async function crash(): Promise<void> {
  setImmediate(() => {
    throw new Error("out of nowhere");
  });
  await Context.current().sleep("1 hour");
}

export function completeLater(): never {
  return Context.current().completeAsync();
}

export function giveToFallback(): never {
  throw new ReleaseToFallback("not on this machine");
}

/** Asks for what there is not in a thread. */
export function askFor(part: "client" | "cache"): unknown {
  return Context.current()[part];
}

export async function waitForSignal(): Promise<void> {
  await Context.current().sleep("1 hour");
}

export const notCopyable = () => () => 1;
