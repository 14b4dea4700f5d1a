import type { createServer, lineLogger } from "@tq/matching";

/** The part of the server that the CLI uses. */
export interface ServerModule {
  readonly createServer: typeof createServer;
  readonly lineLogger: typeof lineLogger;
}

/** Loads the server. Other commands do without, and so start faster. */
export async function loadServer(): Promise<ServerModule> {
  return import("@tq/matching");
}
