/*
 * Calls in frames: what tq's own client speaks with the server in place of HTTP where it can, for the calls that every task
 * passes through. docs/protocol.md has the whole of it. One connection carries any number of calls at once.
 */
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { TaskService, WorkerService } from "@tq/proto";

/**
 * What a client says first. As with HTTP/2 (RFC 9113, 3.4), a server that speaks HTTP/1.1 alone reads a request that it refuses
 * at once.
 */
export const framesPreface = Buffer.from("TQ * FRAMES/1\r\n\r\n");

/** What the server says to that, and calls may begin. */
export const framesAccepted = Buffer.from("TQ FRAMES/1\r\n");

/** The calls that go in frames: the kind of a call's frame is its place here. New ones go to the end. */
export const framedMethods: readonly DescMethodUnary[] = [
  TaskService.method.addTasks,
  WorkerService.method.pollTasks,
  WorkerService.method.respondTasks,
];

/** Kind of the frame with which a client gives up the call of that number. It has no bytes, and no reply follows. */
export const framedCancel = 0xffff;

/** Kinds of the server's frames. */
export const framedReply = {
  /** The bytes are the message of the call's reply. */
  message: 0,
  /** The bytes are the call's error, as unary Connect has it, in JSON. */
  error: 1,
  /** No more calls are to be made on this connection, which closes once all are answered. Of no call, and without bytes. */
  goodbye: 2,
} as const;

/** Most bytes of a call's message. A larger one goes over HTTP, where it can be refused unread. */
export const framedCallBytes = 8 * 1024 * 1024;

/** Most bytes of a reply; the server's are some megabytes at most. */
export const framedReplyBytes = 64 * 1024 * 1024;

/** Most calls at once on a connection. */
export const framedCallsAtOnce = 10_000;

/** Once calls of so many bytes are under way on a connection, the server reads no more of it until some of them are answered. */
export const framedBytesAtOnce = 32 * 1024 * 1024;

/** What stands before the bytes of a frame. */
export const frameHeaderBytes = 16;

/** A frame: a call, its reply, or what else there is to say. In this order, 32 bits each, the highest byte first, and then its bytes. */
export interface FrameHeader {
  /** How many bytes follow. */
  readonly length: number;
  readonly kind: number;
  /** Which call it is about: a number that the client gives it, and none of those that are under way has. */
  readonly call: number;
  /** Of a call: milliseconds until its caller gives up, 0 if it does not. Of any other: 0. */
  readonly timeoutMs: number;
}

const most = 0xffff_ffff;

/** The bytes of a header. */
export function writeFrameHeader({ length, kind, call, timeoutMs }: FrameHeader): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt32BE(length, 0);
  header.writeUInt32BE(kind, 4);
  header.writeUInt32BE(call, 8);
  header.writeUInt32BE(Math.min(Math.ceil(timeoutMs), most), 12);
  return header;
}

/** Takes a frame that is whole; its bytes are the taker's. */
export type TakeFrame = (header: FrameHeader, bytes: Uint8Array) => void;

/** Puts the frames of a connection together. */
export class FrameReader {
  readonly #take: TakeFrame;
  readonly #mostBytes: number;
  /** Of a frame, or a header, that is not whole; and how many bytes it lacks at least. */
  #pieces: Uint8Array[] = [];
  #missing = 0;

  /** @param mostBytes of a frame */
  constructor(mostBytes: number, take: TakeFrame) {
    this.#take = take;
    this.#mostBytes = mostBytes;
  }

  /** The next bytes of the connection. False: a frame is longer than any may be, and nothing can be made of what follows. */
  read(bytes: Buffer): boolean {
    let rest = bytes;
    while (this.#missing > 0 && rest.length > 0) {
      // No more than it lacks: what comes behind a large frame would keep all of that in memory.
      const piece = rest.subarray(0, this.#missing);
      rest = rest.subarray(piece.length);
      this.#pieces.push(piece);
      this.#missing -= piece.length;
      if (this.#missing > 0) return true;
      const whole = Buffer.concat(this.#pieces);
      this.#pieces = [];
      if (!this.#takeFrames(whole)) return false;
    }
    return this.#takeFrames(rest);
  }

  /** From the beginning of one. */
  #takeFrames(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      const there = chunk.length - at;
      const length = there < frameHeaderBytes ? 0 : chunk.readUInt32BE(at);
      if (length > this.#mostBytes) return false;
      const needed = frameHeaderBytes + length;
      if (there < needed) {
        this.#pieces.push(chunk.subarray(at));
        this.#missing = needed - there;
        return true;
      }
      const [kind, call, timeoutMs] = [
        chunk.readUInt32BE(at + 4),
        chunk.readUInt32BE(at + 8),
        chunk.readUInt32BE(at + 12),
      ];
      const from = at + frameHeaderBytes;
      at += needed;
      this.#take({ length, kind, call, timeoutMs }, chunk.subarray(from, at));
    }
    return true;
  }
}

/** What frames are written to: a socket. */
export interface FrameSink {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array): unknown;
}

/**
 * A frame of more bytes goes out at once. Where a worker has much to do, its calls are not to wait for each other: while it
 * handles what one brought, the server is at the next.
 */
const gatheredBytes = 2_000;

/**
 * Writes the frames of a connection: small ones of one turn of the event loop together, so that what a commit answers reaches
 * its client, and a client's next calls the server, with one write and one read.
 */
export class FrameWriter {
  readonly #sink: FrameSink;
  #isCorked = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  write(kind: number, call: number, timeoutMs: number, bytes: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#sink.cork();
      // It comes once all promises that are settled have told whoever waits.
      process.nextTick(this.#flush);
    }
    this.#sink.write(writeFrameHeader({ length: bytes.length, kind, call, timeoutMs }));
    if (bytes.length > 0) this.#sink.write(bytes);
    if (bytes.length > gatheredBytes) this.#flush();
  }

  readonly #flush = (): void => {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#sink.uncork();
  };
}
