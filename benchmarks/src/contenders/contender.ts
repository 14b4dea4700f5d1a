import type { Column } from "../table/columns.ts";
import type { RunningServer } from "../table/run.ts";

/** One system in one setting, as it takes part in the table. */
export interface Contender {
  /** Such as `BullMQ (fsync always)`. Unique. */
  readonly name: string;
  /** What is on disk, and how, as an add is acknowledged. */
  readonly durability: string;
  /** Whether what was acknowledged survives a power cut: those are the ones to be compared with. */
  readonly isDurable: boolean;
  /** Columns that its server's files say nothing of. Default none. */
  readonly untold?: readonly Column[];
  /** URL of the adapter's module. */
  readonly adapter: string;
  /** See Target. */
  readonly settings: Readonly<Record<string, string>>;
  /** What runs the client process. Default: this Node. */
  readonly clientProgram?: string;
  /** Starts a new server, with its data in `folder`, which exists and is empty. */
  start(folder: string): Promise<StartedServer>;
}

/** A server that a benchmark started, and ends. */
export interface StartedServer extends RunningServer {
  /** Ends it and all that it started. */
  stop(): Promise<void>;
}
