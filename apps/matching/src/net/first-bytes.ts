import type { Socket } from "node:net";
import { framesPreface } from "@tq/proto/wire";

/** What is spoken on a connection. */
export type Protocol = "http1" | "http2" | "frames";

const prefaces: readonly (readonly [Protocol, Buffer])[] = [
  // What every HTTP/2 connection begins with, and no HTTP/1.1 request does (RFC 9113, 3.4).
  ["http2", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
  ["frames", framesPreface],
];

/** What the first bytes of a connection say; undefined: too few of them to tell. */
export function protocolOf(firstBytes: Uint8Array): Protocol | undefined {
  for (const [protocol, preface] of prefaces) {
    const length = Math.min(firstBytes.length, preface.length);
    if (!preface.subarray(0, length).equals(firstBytes.subarray(0, length))) continue;
    return length === preface.length ? protocol : undefined;
  }
  return "http1";
}

/**
 * Reads the first bytes of a connection, puts them back (all but the preface of frames), and says what is spoken there. The
 * socket is paused then.
 * Calls back at most once; never for a connection that closes before it has said enough.
 */
export function sniffProtocol(socket: Socket, found: (protocol: Protocol) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = protocolOf(seen);
    if (protocol === undefined) return;
    socket.off("data", onData);
    socket.pause();
    const rest = protocol === "frames" ? seen.subarray(framesPreface.length) : seen;
    if (rest.length > 0) socket.unshift(rest);
    found(protocol);
  };
  socket.on("data", onData);
}
