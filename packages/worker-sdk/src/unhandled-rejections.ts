// A promise that a handler did not await and that is rejected would end the process, as Node has it, and every other task
// of the worker with it. Node tells in whose asynchronous context the promise was made, so those of handlers can be told
// from others: they are logged with their task, and change nothing about its outcome. For all others the listener acts as
// if it were not there: without another listener the process ends.

import { contextHere } from "./context.ts";

let workers = 0;

/** Looks after handlers' rejections from now on, until what is answered here is called. May be done any number of times. */
export function watchRejections(): () => void {
  if (workers++ === 0) process.on("unhandledRejection", onRejection);
  let isWatching = true;
  return () => {
    if (!isWatching) return;
    isWatching = false;
    if (--workers === 0) process.off("unhandledRejection", onRejection);
  };
}

function onRejection(reason: unknown): void {
  const context = contextHere();
  if (context !== undefined) {
    context.log.error({ error: reason }, "A handler did not await a promise, and it was rejected");
    return;
  }
  if (process.listenerCount("unhandledRejection") > 1) return;
  // From here it becomes an uncaught exception, which is what Node makes of it without any listener.
  throw reason instanceof Error ? reason : new Error(`A promise was rejected with ${String(reason)}, and nobody heard`);
}
