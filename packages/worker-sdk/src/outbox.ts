import type { AnswerStatus, TaskAnswer } from "@tq/proto";
import type { HeldTask } from "./held-task.ts";
import type { Slots } from "./slots.ts";

/** An answer that the server is to get. */
export interface OutgoingAnswer {
  readonly answer: TaskAnswer;
  /** About how many bytes it takes on the wire. */
  readonly bytes: number;
  /** The delivery that it answers; unset for one that the worker never took on, and gives straight back. */
  readonly held: HeldTask | undefined;
}

/** Who hears how an answer was taken. */
export type OnAnswered = (outgoing: OutgoingAnswer, status: AnswerStatus) => void;

/** The contract's bound on a call. */
const maxAnswersPerCall = 1_000;
/** Far below what the server takes in; one answer is at most 2 MiB. */
const maxBytesPerCall = 4 * 1024 * 1024;

/**
 * Answers on their way out. What is added in one turn of the event loop gathers; then the carriers are asked in their
 * order to take along what they can. A call that is under way gets no more, so what comes meanwhile goes into the next.
 */
export class Outbox {
  readonly #onAnswered: OnAnswered;
  readonly #carriers: (() => void)[] = [];
  readonly #onEmpty: (() => void)[] = [];
  #waiting: OutgoingAnswer[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(onAnswered: OnAnswered) {
    this.#onAnswered = onAnswered;
  }

  /** Registers who is told when there is something to carry. Earlier ones are asked first. */
  addCarrier(carrier: () => void): void {
    this.#carriers.push(carrier);
  }

  /** Answers that nobody carries yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Answers that the server has not taken yet. */
  get size(): number {
    return this.#waiting.length + this.#underWay;
  }

  add(outgoing: OutgoingAnswer): void {
    this.#waiting.push(outgoing);
    this.#schedule();
  }

  /**
   * What is added before the present callback of the event loop is over, with its promises, goes out then: before the next
   * reply of the server is read.
   */
  hurry(): void {
    process.nextTick(() => {
      if (this.#waiting.length > 0) this.#carry();
    });
  }

  /**
   * Takes answers for a call: from the front, as many as fit.
   *
   * @param slots only those of deliveries that fill one of them
   * @param most so many at most
   */
  take(slots?: Slots, most = maxAnswersPerCall): OutgoingAnswer[] {
    const taken: OutgoingAnswer[] = [];
    const left: OutgoingAnswer[] = [];
    let bytes = 0;
    for (const outgoing of this.#waiting) {
      const fits = taken.length === 0 || (taken.length < most && bytes + outgoing.bytes <= maxBytesPerCall);
      if (fits && (slots === undefined || outgoing.held?.slots === slots)) {
        taken.push(outgoing);
        bytes += outgoing.bytes;
      } else {
        left.push(outgoing);
      }
    }
    this.#waiting = left;
    this.#underWay += taken.length;
    return taken;
  }

  /** A call with these came to nothing: they wait again, before all others. */
  putBack(taken: readonly OutgoingAnswer[]): void {
    if (taken.length === 0) return;
    this.#underWay -= taken.length;
    this.#waiting.unshift(...taken);
    this.#schedule();
  }

  /** A call with these was answered. */
  settle(taken: readonly OutgoingAnswer[], statuses: readonly AnswerStatus[]): void {
    this.#underWay -= taken.length;
    for (const [index, outgoing] of taken.entries()) {
      const status = statuses[index];
      if (status !== undefined) this.#onAnswered(outgoing, status);
    }
    if (this.#waiting.length === 0 && this.#underWay === 0) for (const listener of this.#onEmpty.splice(0)) listener();
  }

  /** Resolves once every answer has been taken by the server. */
  async empty(): Promise<void> {
    if (this.#waiting.length === 0 && this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#carry();
    });
  }

  #carry(): void {
    for (const carrier of this.#carriers) carrier();
  }
}
