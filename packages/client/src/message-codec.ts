import type { DispatchedTask, Failure, NewTask, Payload, Task, TaskAnswer } from "@tq/proto";
import { TqError } from "./errors.ts";
import { hideFailureText } from "./failure.ts";
import { CodecChain, type PayloadCodec } from "./payload-codec.ts";
import {
  type PayloadPlace,
  placesOfAnswer,
  placesOfDispatchedTask,
  placesOfNewTask,
  placesOfTask,
} from "./payload-places.ts";

/** Which codecs a client has, and how far they go. */
export interface MessageCodecOptions {
  readonly codecs: readonly PayloadCodec[];
  /** See `ClientOptions.encodeCommonAttributes`. */
  readonly encodeCommonAttributes: boolean;
}

/**
 * Codecs applied to whole messages of the contract: to every payload that stands in one, wherever it stands. A message is
 * changed in place, and only once all of its payloads have gone through. All payloads of a message go to the codecs
 * together.
 *
 * Errors of codecs keep their codes; their text says what could not be encoded or decoded.
 */
export class MessageCodec {
  readonly #chain: CodecChain;
  readonly #hidesFailureText: boolean;

  constructor(options: MessageCodecOptions) {
    this.#chain = new CodecChain(options.codecs);
    this.#hidesFailureText = options.encodeCommonAttributes;
  }

  /** A task to add. */
  encodeNewTask(task: NewTask): Promise<void> {
    return this.#encode(placesOfNewTask(task), () => `task ${task.id}`);
  }

  /** An answer to an attempt, with its commands. */
  encodeAnswer(answer: TaskAnswer): Promise<void> {
    if (this.#hidesFailureText && answer.answer.case === "failed") hideText(answer.answer.value.failure);
    return this.#encode(placesOfAnswer(answer), () => "the answer");
  }

  /** One payload, such as the details of a heartbeat. */
  async encodePayload(payload: Payload, what: string): Promise<Payload> {
    const [coded = payload] = await this.#apply("encode", [payload], () => what);
    return coded;
  }

  /** A task as it was read. */
  decodeTask(task: Task): Promise<void> {
    return this.#decode(placesOfTask(task), () => `task ${task.id} (${task.type})`);
  }

  /** A delivery. */
  decodeDispatchedTask(task: DispatchedTask): Promise<void> {
    return this.#decode(placesOfDispatchedTask(task), () => `task ${task.id} (${task.type})`);
  }

  #encode(places: Iterable<PayloadPlace>, what: () => string): Promise<void> {
    return this.#replace("encode", places, what);
  }

  #decode(places: Iterable<PayloadPlace>, what: () => string): Promise<void> {
    return this.#replace("decode", places, what);
  }

  async #replace(way: "encode" | "decode", places: Iterable<PayloadPlace>, what: () => string): Promise<void> {
    const all = [...places];
    if (all.length === 0) return;
    const payloads = all.map(({ payload }) => payload);
    const others = await this.#apply(way, payloads, what);
    for (const [index, place] of all.entries()) place.replace(others[index] ?? place.payload);
  }

  async #apply(way: "encode" | "decode", payloads: readonly Payload[], what: () => string): Promise<Payload[]> {
    try {
      return await this.#chain[way](payloads);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `The payloads of ${what()} cannot be ${way}d: ${why}`;
      throw cause instanceof TqError ? cause.with({ message }) : new TqError({ code: "unknown", message, cause });
    }
  }
}

function hideText(failure: Failure | undefined): void {
  for (let next = failure; next !== undefined; next = next.cause) hideFailureText(next);
}
