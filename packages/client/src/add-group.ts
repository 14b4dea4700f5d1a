import type { AddedTask, NewTask } from "@tq/proto";
import type { AddRoom } from "./add-room.ts";

/** Makes a caller's answer of what the server says about its tasks: `count` of them, from `offset` on. */
export type AnswerOf<T> = (added: readonly AddedTask[], offset: number, count: number) => T;

/** What a group is made of. */
export interface AddGroupParts<T> {
  readonly tasks: readonly NewTask[];
  /** About how many bytes they take on the wire. */
  readonly bytes: number;
  /** Ids that the caller chose; those that the client made cannot collide. */
  readonly chosenIds: readonly string[];
  /** Bytes of the room that the group has. */
  readonly roomBytes: number;
  /** Ends the caller's waiting. What was sent may be added all the same. */
  readonly signal: AbortSignal | undefined;
  readonly answerOf: AnswerOf<T>;
}

/** Tasks that are added all or none. They wait, are on their way, stand aside or are answered; then they leave the room. */
export class AddGroup<T = unknown> {
  readonly tasks: readonly NewTask[];
  readonly bytes: number;
  readonly chosenIds: readonly string[];
  readonly giveUpAtMs: number;
  /** Its tasks as a call has them, if they were encoded before; null: they cannot be. */
  encoded: Uint8Array | null | undefined;
  /** Called once its caller has given up. */
  onGivenUp: (() => void) | undefined;
  /** Called once it is over. */
  onAnswered: (() => void) | undefined;
  readonly #parts: AddGroupParts<T>;
  readonly #room: AddRoom;
  readonly #answer: Pick<PromiseWithResolvers<T>, "promise"> & { resolve(answer: T): void; reject(error: Error): void };
  #isOver = false;

  constructor(parts: AddGroupParts<T>, room: AddRoom, giveUpAtMs: number) {
    this.tasks = parts.tasks;
    this.bytes = parts.bytes;
    this.chosenIds = parts.chosenIds;
    this.giveUpAtMs = giveUpAtMs;
    this.#answer = Promise.withResolvers<T>();
    this.#parts = parts;
    this.#room = room;
    if (parts.signal !== undefined) this.#endWith(parts.signal);
  }

  /** The caller's. */
  get answer(): Promise<T> {
    return this.#answer.promise;
  }

  /** It is answered, or its caller has given up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The server has answered a call with these tasks, which stand in it from `offset` on. */
  resolve(added: readonly AddedTask[], offset: number): void {
    if (this.#end()) this.#answer.resolve(this.#parts.answerOf(added, offset, this.tasks.length));
  }

  reject(error: Error): void {
    if (this.#end()) this.#answer.reject(error);
  }

  #endWith(signal: AbortSignal): void {
    const onAbort = () => {
      this.reject(signal.reason as Error);
      this.onGivenUp?.();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.onAnswered = () => signal.removeEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.encoded = undefined;
    this.onAnswered?.();
    this.#room.leave(this.tasks.length, this.#parts.roomBytes);
    return true;
  }
}
