import type { Client, ClientOptions } from "@tq/client";
import type { Interruption } from "./exit-codes.ts";
import type { ServerModule } from "./commands/server-module.ts";

/** Where text goes: stdout or stderr, or a test's stand-in. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal; unset if it is none. */
  readonly columns?: number | undefined;
}

/** All that `tq` needs of the world, so that a test can put another one in its place. */
export interface Dependencies {
  createClient(this: void, options: ClientOptions): Client;
  /** Loads the server, which only `tq server start` needs. */
  loadServer(this: void): Promise<ServerModule>;
  /** For data. */
  readonly stdout: TextStream;
  /** For messages. */
  readonly stderr: TextStream;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  now(this: void): number;
  /** Who is asking, for the record of operators' actions: `alice@laptop`. */
  readonly actor: string;
  /** Calls `listener` for each signal, and when the reader of stdout has gone; answers how to stop that. */
  onInterruption(this: void, listener: (interruption: Interruption) => void): () => void;
}
