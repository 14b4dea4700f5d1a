// What V8 is told in the process of a server, before its code is loaded. What each is worth was measured with the table of
// the benchmarks: docs/performance.md.

import { setFlagsFromString } from "node:v8";

/** As V8's command line takes them. */
export const serverV8Flags: readonly string[] = [
  // V8 makes what is made at a place old from the beginning once enough of it has survived, as in a backlog that is filled, and
  // never asks again: each lease is then garbage that a large collection alone takes, with all that it holds.
  "--no-allocation-site-pretenuring",
  ...turbofanFlags(),
];

/**
 * TurboFan compiles a function once it was called so often; by default 3,000 times. It does so in threads of its own, for
 * milliseconds each time, behind which the server's main thread waits where processors are few. Until then Maglev's code does, which
 * a Node before 24 does not have unless asked.
 */
function turbofanFlags(): readonly string[] {
  const hasMaglev = Number(process.versions.node.split(".")[0]) >= 24;
  return hasMaglev ? ["--invocation-count-for-turbofan=30000"] : [];
}

/** To be called before the server's modules are loaded: some hold for what is compiled from then on alone. */
export function prepareV8ForServer(): void {
  for (const flag of serverV8Flags) setFlagsFromString(flag);
}
