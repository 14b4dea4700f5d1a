// What V8 is told in the process of a server, before its code is loaded. What each is worth was measured with the table of
// the benchmarks: docs/performance.md.

import { setFlagsFromString } from "node:v8";

/** As V8's command line takes them. */
export const serverV8Flags: readonly string[] = [
  // V8 makes what is made at a place old from the beginning once enough of it has survived, as in a backlog that is filled, and
  // never asks again: each lease is then garbage that a large collection alone takes, with all that it holds.
  "--no-allocation-site-pretenuring",
  // A function is compiled by TurboFan once it was called so often; by default 3,000 times. It does so in threads of its own, for
  // milliseconds each time; where processors are few the server waits behind them, and so do the first tasks. What each task
  // passes through is called so often within seconds all the same, and Maglev's code does until then.
  "--invocation-count-for-turbofan=30000",
];

/** To be called before the server's modules are loaded: some hold for what is compiled from then on alone. */
export function prepareV8ForServer(): void {
  for (const flag of serverV8Flags) setFlagsFromString(flag);
}
