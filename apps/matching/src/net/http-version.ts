import type { Socket } from "node:net";

/** What every HTTP/2 connection begins with, and no HTTP/1.1 request does (RFC 9113, 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What the first bytes of a connection say; undefined: too few of them to tell. */
export function httpVersionOf(firstBytes: Uint8Array): "http1" | "http2" | undefined {
  const length = Math.min(firstBytes.length, preface.length);
  if (!preface.subarray(0, length).equals(firstBytes.subarray(0, length))) return "http1";
  return length === preface.length ? "http2" : undefined;
}

/**
 * Reads the first bytes of a connection, puts them back, and says which HTTP it speaks. The socket is paused then.
 * Calls back at most once; never for a connection that closes before it has said enough.
 */
export function sniffHttpVersion(socket: Socket, found: (version: "http1" | "http2") => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const version = httpVersionOf(seen);
    if (version === undefined) return;
    socket.off("data", onData);
    socket.pause();
    socket.unshift(seen);
    found(version);
  };
  socket.on("data", onData);
}
