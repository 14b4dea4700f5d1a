import type { Adapter, AdapterModule, Target } from "./adapter.ts";
import type { Tally } from "./tally.ts";
import { folderBytes } from "../machine/folder-size.ts";
import { type Usage, usageOf } from "../machine/process-usage.ts";

/** What the scenarios of one group share. */
export interface Run {
  readonly module: AdapterModule;
  readonly target: Target;
  readonly adapter: Adapter;
  readonly tally: Tally;
  readonly server: RunningServer;
  /** Tasks acknowledged so far. */
  added: number;
  /** Whether the worker was started. */
  isWorking: boolean;
}

/** The server that is measured, as seen from outside. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dataFolder: string;
}

/** What the server has used. Undefined where the machine cannot tell. */
export function serverUsage(run: Run): Usage | undefined {
  return usageOf(run.server.pid);
}

/** What the server's folder takes up on the disk. */
export function serverFolderBytes(run: Run): number {
  return folderBytes(run.server.dataFolder);
}

/** Starts the worker unless it runs. */
export async function ensureWorking(run: Run): Promise<void> {
  if (run.isWorking) return;
  run.isWorking = true;
  await run.adapter.work(run.tally.handler);
}

/** So many a second. */
export function perSecond(count: number, sinceMs: number): number {
  return (1_000 * count) / (performance.now() - sinceMs);
}

/** The value below which that share of the values is. Sorts them. Undefined if there are none. */
export function quantile(values: number[], share: number): number | undefined {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))];
}
