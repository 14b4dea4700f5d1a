import { connect, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  framedCancel,
  framedReply,
  framedReplyBytes,
  type FrameHeader,
  FrameReader,
  framesAccepted,
  framesPreface,
  FrameWriter,
} from "@tq/proto/wire";
import { onceAborted } from "./abort-callbacks.ts";

/** Times of a connection. */
export interface ConnectionTimes {
  /** How long to wait for a connection, and for the server to say that it speaks frames. */
  readonly acceptMs: number;
  /** A connection without a call is kept for so long. */
  readonly keepAliveMs: number;
}

/** One call, as its frame will have it. */
export interface FramedRequest {
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
  /** What is there speaks no frames: it said something else, nothing in time, or hung up. */
  readonly refused: () => void;
}

/** A call that is under way. */
interface Pending {
  readonly call: FramedRequest;
  readonly resolve: (message: Uint8Array | undefined) => void;
  readonly reject: (reason: Error) => void;
  readonly forget: () => void;
  readonly madeAt: number;
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
  #isConnected = false;
  #isRetired = false;
  #error: Error | undefined;

  constructor(host: string, port: number, events: ConnectionEvents, { acceptMs, keepAliveMs }: ConnectionTimes) {
    this.#events = events;
    this.#frames = new FrameReader(framedReplyBytes, (header, bytes) => this.#frameCame(header, bytes));
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    this.#writer = new FrameWriter(socket);
    this.#accepting = setTimeout(() => this.#abandon(), acceptMs);
    socket.write(framesPreface);
    socket.once("connect", () => (this.#isConnected = true));
    socket.on("data", (bytes: Buffer) => this.#bytesCame(bytes));
    // It closes a while later; until then no call is to be made that cannot be answered.
    socket.on("error", (error) => {
      this.#error ??= error;
      this.#retire();
    });
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

  /**
   * The message of the reply; undefined if the server was not there or speaks no frames, and nothing was sent.
   *
   * @throws ConnectError what the server says, or that the call was canceled or its time is over
   * @throws Error with Node's code, if the connection broke
   */
  call(call: FramedRequest): Promise<Uint8Array | undefined> {
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
      const pending = { call, resolve, reject, forget, madeAt: performance.now() };
      this.#pending.set(number, pending);
      if (this.#said === undefined) this.#send(number, pending);
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

  #send(number: number, { call: { kind, bytes, timeoutMs }, madeAt }: Pending): void {
    const left = timeoutMs === 0 ? 0 : Math.max(1, timeoutMs - (performance.now() - madeAt));
    this.#writer.write(kind, number, left, bytes);
  }

  #timedOut(number: number): void {
    // It may be that nothing gets through any more. Whoever calls next is not to wait for that as well.
    if (this.#said === undefined) this.#retire();
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
      // With a length that no reply has, nothing can be made of what follows.
      if (!this.#frames.read(bytes)) this.#abandon();
      return;
    }
    const all = Buffer.concat([said, bytes]);
    this.#said = all;
    const length = Math.min(all.length, framesAccepted.length);
    if (!all.subarray(0, length).equals(framesAccepted.subarray(0, length))) this.#abandon();
    else if (length === framesAccepted.length) {
      this.#accepted();
      if (all.length > length) this.#bytesCame(all.subarray(length));
    }
  }

  #accepted(): void {
    clearTimeout(this.#accepting);
    this.#said = undefined;
    for (const [number, pending] of this.#pending) this.#send(number, pending);
    this.#rest();
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
    else pending.reject(errorOf(kind, bytes));
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

  /** Nothing is to be expected of it. */
  #abandon(): void {
    this.#retire();
    this.#socket.destroy();
  }

  /** A connection without a call does not keep its process, and goes if there will be none. */
  #rest(): void {
    if (this.#pending.size > 0) return;
    // What is still to be written are cancels, which its end is as well.
    if (this.#isRetired) this.#socket.destroy();
    else this.#socket.unref();
  }

  #closed(): void {
    clearTimeout(this.#accepting);
    this.#events.closed(this);
    const wasAccepted = this.#said === undefined;
    if (!wasAccepted && this.#isConnected) this.#events.refused();
    for (const [number, { resolve, reject }] of this.#pending) {
      this.#ended(number);
      if (wasAccepted) reject(this.#error ?? brokenConnection("the server closed the connection"));
      else resolve(undefined);
    }
  }
}

const noBytes = new Uint8Array();

function brokenConnection(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}

/** The error that a reply is. */
function errorOf(kind: number, bytes: Uint8Array): ConnectError {
  const unreadable = new ConnectError("the server sent a reply that cannot be read", Code.Unknown);
  if (kind !== framedReply.error) return unreadable;
  try {
    return errorFromJsonBytes(bytes, undefined, unreadable);
  } catch (reason) {
    return ConnectError.from(reason, Code.Unknown);
  }
}
