import { durationMs } from "@bufbuild/protobuf/wkt";
import type { DispatchedTask } from "@tq/proto";
import { type CancellationReason, CancelledFailure } from "./failure.ts";
import type { SlotPermit } from "./slot-supplier.ts";
import type { Slots } from "./slots.ts";

/**
 * Where a delivery is in its life with the worker:
 *
 * - `running`: its handler runs, and its lease is kept alive.
 * - `answering`: its answer is on its way, and its lease is kept alive until the answer is accepted.
 * - `lost`: its lease is gone. If the handler still runs, what it answers is dropped.
 * - `answered`: the server has its answer. Nothing more is owed.
 * - `handed-over`: its handler has ended, and somebody else answers. It fills no slot, and its lease is kept alive for as
 *   long as the server says that it is there.
 */
export type HeldState = "running" | "answering" | "lost" | "answered" | "handed-over";

/** By so much the server's clock of an attempt may be ahead: its answer was on the way for a while. */
const answerTookMs = 250;

/** One delivery of a task that the worker holds, and the slot that it fills. */
export class HeldTask {
  readonly task: DispatchedTask;
  /** The token as a key. */
  readonly key: string;
  /** When its start-to-close timeout is over, by the worker's clock; infinite without one. */
  readonly timesOutAtMs: number;
  /** Where it stands among those whose handlers run, for who keeps these. */
  runningIndex: number | undefined = undefined;
  readonly #slots: Slots;
  readonly #permit: SlotPermit | undefined;
  /** Made when it is first asked for: most handlers never look at it. */
  #cancellation: AbortController | undefined;
  #state: HeldState = "running";
  #isRunning = true;
  #isTimedOut = false;
  #hasSlot = true;
  #cancelRequested = false;
  #onLost: (() => void) | undefined;

  /** @param key the token as a key */
  constructor(task: DispatchedTask, key: string, slots: Slots, receivedAtMs: number) {
    this.task = task;
    this.key = key;
    const timeout = task.startToCloseTimeout;
    this.timesOutAtMs = timeout === undefined ? Number.POSITIVE_INFINITY : receivedAtMs + durationMs(timeout);
    this.#slots = slots;
    this.#permit = slots.markUsed(task);
  }

  /** Type of the task. */
  get type(): string {
    return this.task.type;
  }

  get state(): HeldState {
    return this.#state;
  }

  /** True until the handler has ended, whatever has become of the delivery. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** The slots that it fills one of. */
  get slots(): Slots {
    return this.#slots;
  }

  get signal(): AbortSignal {
    return (this.#cancellation ??= new AbortController()).signal;
  }

  /** True once somebody asked for the task to be canceled. */
  get isCancelRequested(): boolean {
    return this.#cancelRequested;
  }

  /** True once the handler was told that its start-to-close timeout is over. */
  get isTimedOut(): boolean {
    return this.#isTimedOut;
  }

  /** Its start-to-close timeout is over. What it answers from now on is for the server to judge. */
  timedOut(): void {
    this.#isTimedOut = true;
    this.abort("TIMED_OUT", "The attempt took longer than its start-to-close timeout");
  }

  /** Somebody asked for it to be canceled. May be told any number of times. */
  cancelRequested(reason: string): void {
    this.#cancelRequested = true;
    this.abort(
      "CANCEL_REQUESTED",
      reason === "" ? "The task is to be canceled" : `The task is to be canceled: ${reason}`,
    );
  }

  /** Tells the handler to stop, unless it was told before. */
  abort(reason: CancellationReason, message: string): void {
    if (!this.#isRunning || this.signal.aborted) return;
    this.#cancellation?.abort(new CancelledFailure(reason, message));
  }

  /** running → answering: an answer was made, by the handler's end or because the worker gives the task back. */
  answering(): void {
    this.#assert("running");
    this.#state = "answering";
  }

  /** answering → answered: the server has taken the answer. */
  answered(): void {
    this.#assert("answering");
    this.#state = "answered";
    this.#releaseSlot();
  }

  /** running → handed-over: the handler has ended, and leaves the answer to somebody else. */
  handOver(): void {
    this.#assert("running");
    this.#state = "handed-over";
    this.#isRunning = false;
    this.#releaseSlot();
  }

  /** running or answering → lost: the server says that the lease is gone. */
  lost(nowMs: number): void {
    this.#assert("running", "answering");
    this.#state = "lost";
    if (nowMs >= this.timesOutAtMs - answerTookMs) this.timedOut();
    else this.abort("LEASE_LOST", "The lease is gone: the task was given back, or to another worker");
    this.#onLost?.();
    if (!this.#isRunning) this.#releaseSlot();
  }

  /** answering → running: the server refused the answer, and another one is to be made. */
  refused(): void {
    this.#assert("answering");
    this.#state = "running";
    this.#isRunning = true;
  }

  /** Calls back should the lease be lost. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  /** The handler has ended. */
  handlerEnded(): void {
    this.#isRunning = false;
    if (this.#state === "lost") this.#releaseSlot();
  }

  /** Hands the slot to whoever asks, once; false if it is no longer this task's to give. */
  takeSlot(): boolean {
    const had = this.#hasSlot;
    this.#hasSlot = false;
    return had;
  }

  /** Gets a slot back that was taken with {@link takeSlot}. */
  returnSlot(): void {
    if (this.#state === "answering") this.#hasSlot = true;
    else this.#slots.release();
  }

  #releaseSlot(): void {
    if (this.takeSlot()) this.#slots.release(this.#permit);
  }

  #assert(...states: HeldState[]): void {
    if (!states.includes(this.#state)) throw new Error(`a held task is ${this.#state}, not ${states.join(" or ")}`);
  }
}

/** A token as a key of a map. */
export function tokenKey(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString("latin1");
}
