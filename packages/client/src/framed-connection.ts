import { connect, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  framedCallsAtOnce,
  framedCancel,
  framedReply,
  type FrameHeader,
  FrameReader,
  framesAccepted,
  framesPreface,
  FrameWriter,
} from "@tq/proto/wire";
import { onceAborted } from "./abort-callbacks.ts";

/** Times of a connection. */
export interface ConnectionTimes {
  /** A server that has not said within so long that it speaks frames is one that does not. */
  readonly acceptMs: number;
  /** A connection without a call is kept for so long. */
  readonly keepAliveMs: number;
}

/** One call, as its frame will have it. */
export interface FramedCall {
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal | undefined;
  /** Until it is given up; 0: never. */
  readonly timeoutMs: number;
}

/** Told what becomes of a connection. */
export interface ConnectionEvents {
  /** It is to have no more calls. */
  readonly retired: (connection: FramedConnection) => void;
  readonly closed: (connection: FramedConnection) => void;
  /** The server speaks no frames. */
  readonly refused: () => void;
}

/** A call that is under way. */
interface Pending {
  readonly call: FramedCall;
  readonly resolve: (message: Uint8Array | undefined) => void;
  readonly reject: (reason: Error) => void;
  readonly forget: () => void;
}

/** A connection that carries calls in frames, any number at once. */
export class FramedConnection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #frames: FrameReader;
  readonly #writer: FrameWriter;
  readonly #accepting: NodeJS.Timeout;
  /** What the server has said before it speaks frames; unset once it does. */
  #said: Buffer | undefined = Buffer.alloc(0);
  /** By their numbers. */
  readonly #pending = new Map<number, Pending>();
  #lastNumber = 0;
  #isRetired = false;
  #error: Error | undefined;

  constructor(host: string, port: number, events: ConnectionEvents, { acceptMs, keepAliveMs }: ConnectionTimes) {
    this.#events = events;
    this.#frames = new FrameReader(Number.POSITIVE_INFINITY, (header, bytes) => this.#frameCame(header, bytes));
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    this.#writer = new FrameWriter(socket);
    this.#accepting = setTimeout(() => this.#refused(), acceptMs);
    socket.write(framesPreface);
    socket.on("data", (bytes: Buffer) => this.#bytesCame(bytes));
    socket.on("error", (error) => (this.#error ??= error));
    // It closes a while later; until then no call is to be made that cannot be answered.
    socket.once("end", () => this.#retire());
    socket.once("close", () => this.#closed());
    socket.setTimeout(keepAliveMs);
    // Given to setTimeout, it would be called the first time alone.
    socket.on("timeout", () => {
      if (this.#pending.size === 0) this.#retire();
    });
  }

  /** How many are under way. */
  get calls(): number {
    return this.#pending.size;
  }

  /** Whether another call would be one too many. */
  get isFull(): boolean {
    return this.#pending.size >= framedCallsAtOnce;
  }

  /**
   * The message of the reply; undefined if the server was not there or speaks no frames, and nothing was sent.
   *
   * @throws ConnectError what the server says, or that the call was canceled or its time is over
   * @throws Error with Node's code, if the connection broke
   */
  call(call: FramedCall): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs } = call;
      const number = this.#nextNumber();
      const timer = timeoutMs > 0 ? setTimeout(() => this.#timedOut(number), timeoutMs) : undefined;
      const forgetSignal = signal && onceAborted(signal, () => this.#aborted(number));
      const forget = (): void => {
        clearTimeout(timer);
        forgetSignal?.();
      };
      if (this.#pending.size === 0) this.#socket.ref();
      this.#pending.set(number, { call, resolve, reject, forget });
      if (this.#said === undefined) this.#send(number, call);
    });
  }

  /** Ends whatever is under way. */
  destroy(): void {
    this.#error ??= brokenConnection("this client was closed");
    this.#socket.destroy();
  }

  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) % 0x1_0000_0000;
    while (this.#pending.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #send(number: number, { kind, bytes, timeoutMs }: FramedCall): void {
    this.#writer.write(kind, number, timeoutMs, bytes);
  }

  #timedOut(number: number): void {
    // It may be that nothing gets through any more. Whoever calls next is not to wait for that as well.
    this.#retire();
    this.#giveUp(number, new ConnectError("the operation timed out", Code.DeadlineExceeded));
  }

  #aborted(number: number): void {
    this.#giveUp(number, ConnectError.from(this.#pending.get(number)?.call.signal?.reason, Code.Canceled));
  }

  #giveUp(number: number, reason: Error): void {
    const pending = this.#ended(number);
    if (pending === undefined) return;
    if (this.#said === undefined) this.#writer.write(framedCancel, number, 0, noBytes);
    this.#rest();
    pending.reject(reason);
  }

  #bytesCame(bytes: Buffer): void {
    const said = this.#said;
    if (said === undefined) {
      this.#frames.read(bytes);
      return;
    }
    const all = Buffer.concat([said, bytes]);
    this.#said = all;
    const length = Math.min(all.length, framesAccepted.length);
    if (!all.subarray(0, length).equals(framesAccepted.subarray(0, length))) this.#refused();
    else if (length === framesAccepted.length) {
      this.#accepted();
      this.#frames.read(all.subarray(length));
    }
  }

  #accepted(): void {
    clearTimeout(this.#accepting);
    this.#said = undefined;
    for (const [number, { call }] of this.#pending) this.#send(number, call);
    this.#rest();
  }

  #refused(): void {
    this.#events.refused();
    this.#retire();
    this.#socket.destroy();
  }

  #frameCame({ kind, call: number }: FrameHeader, bytes: Uint8Array): void {
    if (kind === framedReply.goodbye) {
      this.#retire();
      return;
    }
    // The reply of a call that was given up may have been on its way.
    const pending = this.#ended(number);
    if (pending === undefined) return;
    this.#rest();
    if (kind === framedReply.message) pending.resolve(bytes);
    else
      pending.reject(
        errorFromJsonBytes(bytes, undefined, new ConnectError("a reply of an unknown kind", Code.Unknown)),
      );
  }

  #ended(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    pending?.forget();
    return pending;
  }

  #retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#events.retired(this);
    this.#rest();
  }

  /** A connection without a call does not keep its process, and goes if there will be none. */
  #rest(): void {
    if (this.#pending.size > 0) return;
    if (this.#isRetired) this.#socket.destroySoon();
    else this.#socket.unref();
  }

  #closed(): void {
    clearTimeout(this.#accepting);
    this.#events.closed(this);
    const wasOpen = this.#said === undefined;
    for (const [number, { resolve, reject }] of this.#pending) {
      this.#ended(number);
      if (wasOpen) reject(this.#error ?? brokenConnection("the server closed the connection"));
      else resolve(undefined);
    }
  }
}

const noBytes = new Uint8Array();

function brokenConnection(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
