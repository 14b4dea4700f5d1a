import type { Readable } from "node:stream";

/** What a round sends and gets, in bytes. */
export interface Round {
  readonly requestBytes: number;
  readonly replyBytes: number;
}

/** Calls back for each message of so many bytes. */
export function onMessages(source: Readable, bytes: number, onMessage: () => void): void {
  let got = 0;
  source.on("data", (chunk: Uint8Array) => {
    got += chunk.length;
    for (; got >= bytes; got -= bytes) onMessage();
  });
}
