import type { Payload } from "@tq/proto";
import { TqError } from "./errors.ts";

/**
 * Turns the values of handlers and callers into payloads and back. Client and workers that talk to each other need
 * converters that understand each other. What waits (a key server, say) belongs into a {@link PayloadCodec} instead.
 */
export interface PayloadConverter {
  /** @throws TqError `invalid_argument`, saying why, if the value cannot travel. */
  toPayload(value: unknown): Payload;
  /** @throws TqError `invalid_argument` if the payload is not what its content type says. */
  fromPayload(payload: Payload): unknown;
}

/** One of the converters that a {@link CompositePayloadConverter} asks in turn: it knows values of some kind alone. */
export interface PartialPayloadConverter {
  /** The payload of a value; undefined if the value is another converter's. @throws TqError as {@link PayloadConverter} does. */
  toPayload(value: unknown): Payload | undefined;
  /** Whether the payload is of this converter's making, or of the same form. */
  accepts(payload: Payload): boolean;
  /** The value of a payload that it accepts. @throws TqError as {@link PayloadConverter} does. */
  fromPayload(payload: Payload): unknown;
}

/**
 * Asks several converters in their order: the first that takes a value makes its payload, the first that accepts a payload
 * reads it. Put your own before the ones that come with tq:
 *
 * ```ts
 * new CompositePayloadConverter(new DecimalConverter(), ...defaultPayloadConverters)
 * ```
 */
export class CompositePayloadConverter implements PayloadConverter {
  readonly #converters: readonly PartialPayloadConverter[];

  constructor(...converters: readonly PartialPayloadConverter[]) {
    this.#converters = converters;
  }

  toPayload(value: unknown): Payload {
    for (const converter of this.#converters) {
      const payload = converter.toPayload(value);
      if (payload !== undefined) return payload;
    }
    throw unconvertible(`no payload converter takes a ${typeof value}. Convert it to plain data first.`);
  }

  fromPayload(payload: Payload): unknown {
    for (const converter of this.#converters) if (converter.accepts(payload)) return converter.fromPayload(payload);
    const what = payload.contentType === "" ? "a payload" : `a payload of type ${payload.contentType}`;
    throw unconvertible(`no payload converter reads ${what}`);
  }
}

/** `undefined` travels as an empty payload, which is not the JSON `null`. */
export class UndefinedPayloadConverter implements PartialPayloadConverter {
  toPayload(value: unknown): Payload | undefined {
    return value === undefined ? payloadOf({ case: undefined }) : undefined;
  }

  accepts({ body }: Payload): boolean {
    return body.case === undefined;
  }

  fromPayload(): undefined {
    return undefined;
  }
}

/** A `Uint8Array` (a `Buffer` is one) travels as bytes; of what others send, bytes and text that are no JSON arrive as they are. */
export class BinaryPayloadConverter implements PartialPayloadConverter {
  toPayload(value: unknown): Payload | undefined {
    if (!(value instanceof Uint8Array)) return undefined;
    return payloadOf({ case: "bytes", value });
  }

  accepts({ body, contentType }: Payload): boolean {
    switch (body.case) {
      case "bytes":
        return !isJsonType(contentType);
      case "text":
        return contentType !== "" && !isJsonType(contentType);
      case undefined:
        return false;
    }
  }

  fromPayload({ body }: Payload): unknown {
    return body.value;
  }
}

/**
 * Everything else travels as JSON text, readable in `curl`. The content type is left out, being the contract's default. As
 * JSON has it, a `Date` arrives as a string, and a `Map` or `Set` as `{}`.
 */
export class JsonPayloadConverter implements PartialPayloadConverter {
  toPayload(value: unknown): Payload {
    return payloadOf({ case: "text", value: jsonText(value) });
  }

  accepts({ body, contentType }: Payload): boolean {
    switch (body.case) {
      case "bytes":
        return isJsonType(contentType);
      case "text":
        return contentType === "" || isJsonType(contentType);
      case undefined:
        return false;
    }
  }

  fromPayload({ body }: Payload): unknown {
    if (body.case === undefined) return undefined;
    return parseJson(body.case === "text" ? body.value : new TextDecoder().decode(body.value));
  }
}

/** The parts of {@link defaultPayloadConverter}, in their order: `undefined`, bytes, and JSON for everything else. */
export const defaultPayloadConverters: readonly PartialPayloadConverter[] = Object.freeze([
  new UndefinedPayloadConverter(),
  new BinaryPayloadConverter(),
  new JsonPayloadConverter(),
]);

/** What is used unless another converter is given: see {@link defaultPayloadConverters}. */
export const defaultPayloadConverter: PayloadConverter = new CompositePayloadConverter(...defaultPayloadConverters);

/** A message as `create` makes it, without what that costs: every argument and result passes here. */
function payloadOf(body: Payload["body"]): Payload {
  return { $typeName: "tq.v1.Payload", contentType: "", body, metadata: {} };
}

/** The error of a value or payload that a converter cannot convert. */
export function unconvertible(message: string, cause?: unknown): TqError {
  return new TqError({ code: "invalid_argument", message, cause });
}

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : "its toJSON threw";
    throw unconvertible(`a value that cannot be written as JSON (${why}). Convert it to plain data first.`, cause);
  }
  // Functions and symbols: JSON.stringify answers undefined instead of throwing.
  if (text === undefined)
    throw unconvertible(`a ${typeof value} cannot be written as JSON. Convert it to plain data first.`);
  return text;
}

function isJsonType(contentType: string): boolean {
  return contentType !== "" && /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw unconvertible("a payload says that it is JSON and is not", cause);
  }
}
