/*
 * A connection that carries calls in frames: what they cost outside tq is a fraction of what they cost over HTTP, and the
 * replies of one commit go out together.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import {
  framedBytesAtOnce,
  framedCallBytes,
  framedCallsAtOnce,
  framedCancel,
  framedReply,
  type FrameHeader,
  FrameReader,
  framesAccepted,
  FrameWriter,
} from "@tq/proto/wire";
import type { ReportIncident } from "../errors/boundary.ts";
import { FramedCall } from "./framed-call.ts";
import { failedReply, pathOf, replyTo, type FramedReply } from "./framed-reply.ts";
import type { Routes } from "./route.ts";

/** Answers the calls of one connection, from its preface on. */
export class FramedConnection {
  readonly #socket: Socket;
  readonly #routes: Routes;
  readonly #report: ReportIncident;
  readonly #writer: FrameWriter;
  /** Those under way, by their numbers. */
  readonly #calls = new Map<number, FramedCall>();
  /** Of their requests. */
  #bytesUnderWay = 0;
  #isStopping = false;

  /** @param idleMs how long it is kept open without a call */
  constructor(socket: Socket, routes: Routes, report: ReportIncident, idleMs: number) {
    this.#socket = socket;
    this.#routes = routes;
    this.#report = report;
    this.#writer = new FrameWriter(socket);
    const frames = new FrameReader(framedCallBytes, (header, bytes) => this.#frameCame(header, bytes));
    socket.on("data", (bytes: Buffer) => {
      if (!frames.read(bytes)) socket.destroy();
      else if (this.#isFull) socket.pause();
    });
    socket.on("drain", () => this.#readOn());
    socket.once("close", () => {
      for (const call of this.#calls.values()) call.lost();
      this.#calls.clear();
    });
    socket.setTimeout(idleMs);
    // Given to setTimeout, it would be called the first time alone.
    socket.on("timeout", () => {
      if (this.#calls.size === 0) socket.destroy();
    });
    socket.write(framesAccepted);
  }

  /** Asks for no more calls, and closes once those that are under way are answered. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#writer.write(framedReply.goodbye, 0, 0, noBytes);
    this.#endIfDone();
  }

  #frameCame({ kind, call: number, timeoutMs }: FrameHeader, bytes: Uint8Array): void {
    // What comes behind what ended the connection.
    if (!this.#socket.writable) return;
    if (kind === framedCancel) {
      this.#calls.get(number)?.cancel();
      return;
    }
    if (this.#calls.has(number) || this.#calls.size >= framedCallsAtOnce) {
      this.#socket.destroy();
      return;
    }
    const call = new FramedCall(this.#socket, timeoutMs, bytes.length);
    this.#calls.set(number, call);
    this.#bytesUnderWay += bytes.length;
    const path = pathOf(kind);
    // No function waits here: see replyTo.
    replyTo(call, this.#routes.get(path), path, withoutOthers(bytes)).then(
      (reply) => this.#answered(call, number, path, reply),
      (cause: unknown) => this.#failed(call, number, path, cause),
    );
  }

  /** Whether no more is to be read: what is under way is enough, or the client, who does not read, is not to ask for more. */
  get #isFull(): boolean {
    return this.#bytesUnderWay >= framedBytesAtOnce || this.#socket.writableNeedDrain;
  }

  #readOn(): void {
    if (this.#socket.isPaused() && !this.#isFull) this.#socket.resume();
  }

  #answered(call: FramedCall, number: number, path: string, reply: FramedReply): void {
    try {
      this.#reply(call, number, reply);
    } catch (cause) {
      this.#failed(call, number, path, cause);
      return;
    }
    this.#ended(number, call);
  }

  #failed(call: FramedCall, number: number, path: string, cause: unknown): void {
    const id = randomUUID();
    if (!call.isGone) this.#report({ id, call: path.slice(1), cause });
    this.#reply(call, number, failedReply(id));
    this.#ended(number, call);
  }

  #ended(number: number, { requestBytes }: FramedCall): void {
    // Only now, though it may have been canceled long ago: what is worked on counts, or cancels would make room for any number.
    this.#calls.delete(number);
    this.#bytesUnderWay -= requestBytes;
    this.#readOn();
    this.#endIfDone();
  }

  #reply(call: FramedCall, number: number, { kind, bytes }: FramedReply): void {
    if (call.handOver()) this.#writer.write(kind, number, 0, bytes);
  }

  #endIfDone(): void {
    if (this.#isStopping && this.#calls.size === 0 && this.#socket.writable) this.#socket.destroySoon();
  }
}

/** The bytes of a request, which a poll holds on to while it waits, without the memory of many others that came with them. */
function withoutOthers(bytes: Uint8Array): Uint8Array {
  if (8 * bytes.length >= bytes.buffer.byteLength) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

const noBytes = new Uint8Array();
