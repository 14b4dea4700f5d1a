import type { Payload } from "@tq/proto";
import { TqError } from "./errors.ts";
import { checked } from "./payload.ts";

/**
 * Changes payloads on their way out and back on their way in: compresses, encrypts, stores large ones elsewhere. It works on
 * what converters made, and may wait (for a key, say).
 *
 * Both methods answer as many payloads as they were given, in the same order. `decode` hands on what it did not make: a
 * task may have been added by hand, or before the codec was introduced.
 *
 * Errors: throw a {@link TqError} with the code `data_loss` or `invalid_argument` for what can never be decoded; a worker
 * fails the task for good then. Whatever else is thrown (a key that is not known yet, a key server that is away) is taken to
 * pass: the attempt fails and is tried again.
 */
export interface PayloadCodec {
  /** Payloads as they are to travel. */
  encode(payloads: readonly Payload[]): Promise<Payload[]>;
  /** Payloads as they were before {@link encode}. */
  decode(payloads: readonly Payload[]): Promise<Payload[]>;
}

/** Several codecs as one: applied in their order on encode, and in reverse on decode. */
export class CodecChain implements PayloadCodec {
  readonly #codecs: readonly PayloadCodec[];

  constructor(codecs: readonly PayloadCodec[]) {
    this.#codecs = [...codecs];
  }

  async encode(payloads: readonly Payload[]): Promise<Payload[]> {
    let coded = [...payloads];
    for (const codec of this.#codecs) coded = sameNumber(coded, await codec.encode(coded)).map(checked);
    return coded;
  }

  async decode(payloads: readonly Payload[]): Promise<Payload[]> {
    let plain = [...payloads];
    for (const codec of this.#codecs.toReversed()) plain = sameNumber(plain, await codec.decode(plain));
    return plain;
  }
}

/** What the codecs that come with tq make. */
const codedTypes = ["application/x-tq-compressed", "application/x-tq-encrypted"];

/**
 * Refuses a payload that a codec made and none has decoded: to take its bytes for the value would be a mistake that nobody hears of.
 *
 * @throws TqError `failed_precondition`, saying what is missing.
 */
export function refuseCoded(payload: Payload): void {
  if (!codedTypes.includes(payload.contentType)) return;
  throw new TqError({
    code: "failed_precondition",
    message: `a payload of type ${payload.contentType} needs the codec that made it: give client and workers the same \`payloadCodecs\``,
  });
}

/** Whether decoding the same payload again later may succeed. See {@link PayloadCodec}. */
export function mayDecodeLater(error: unknown): boolean {
  return !(error instanceof TqError && (error.code === "data_loss" || error.code === "invalid_argument"));
}

function sameNumber(given: readonly Payload[], answered: Payload[]): Payload[] {
  if (answered.length === given.length) return answered;
  throw new TqError({
    code: "internal",
    message: `A payload codec answered ${answered.length} payloads for ${given.length}: it must answer one for each`,
  });
}
