import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { TqError } from "./errors.ts";

/**
 * Turns the values of handlers and callers into payloads and back. Client and workers that talk to each other need
 * converters that understand each other.
 */
export interface PayloadConverter {
  /** @throws TqError `invalid_argument`, saying why, if the value cannot travel. Nothing is cut silently. */
  toPayload(value: unknown): Payload;
  /** @throws TqError `invalid_argument` if the payload is not what its content type says. */
  fromPayload(payload: Payload): unknown;
}

/**
 * What is used unless another converter is given. A `Uint8Array` (a `Buffer` is one) travels as bytes; `undefined` as an
 * empty payload, which is not the JSON `null`; everything else as JSON text, readable in `curl`. The content type is left
 * out where it is the default of the contract.
 *
 * As JSON has it, a `Date` arrives as a string, and a `Map` or `Set` as `{}`.
 */
export const defaultPayloadConverter: PayloadConverter = Object.freeze({ toPayload, fromPayload });

/** {@link defaultPayloadConverter}'s payload of a value. */
export function encodePayload(value: unknown): Payload {
  return toPayload(value);
}

/** {@link defaultPayloadConverter}'s value of a payload; an unset one is `undefined`. */
export function decodePayload(payload: Payload | undefined): unknown {
  return payload === undefined ? undefined : fromPayload(payload);
}

/** One payload per argument. An error names the argument, as in `input[1]`. */
export function encodeInput(args: readonly unknown[], converter: PayloadConverter): Payload[] {
  return args.map((arg, index) => {
    try {
      return converter.toPayload(arg);
    } catch (error) {
      throw unpayable(`input[${index}]`, error);
    }
  });
}

/** The payload of a value that has a name in errors. */
export function encodeField(value: unknown, field: string, converter: PayloadConverter): Payload {
  try {
    return converter.toPayload(value);
  } catch (error) {
    throw unpayable(field, error);
  }
}

function unpayable(field: string, error: unknown): TqError {
  const description = error instanceof Error ? error.message : String(error);
  return new TqError({
    code: "invalid_argument",
    reason: "INVALID_FIELD",
    message: `${field}: ${description}`,
    fields: [{ field, description }],
    cause: error,
  });
}

/** About how many bytes a payload takes on the wire. */
export function payloadBytes(payload: Payload): number {
  switch (payload.body.case) {
    case "text":
      return Buffer.byteLength(payload.body.value) + 8;
    case "bytes":
      return payload.body.value.byteLength + 8;
    case undefined:
      return 8;
  }
}

function toPayload(value: unknown): Payload {
  if (value === undefined) return create(PayloadSchema);
  if (value instanceof Uint8Array) return create(PayloadSchema, { body: { case: "bytes", value } });
  return create(PayloadSchema, { body: { case: "text", value: jsonText(value) } });
}

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : "its toJSON threw";
    throw refused(`a value that cannot be written as JSON (${why}). Convert it to plain data first.`, cause);
  }
  // Functions and symbols: JSON.stringify answers undefined instead of throwing.
  if (text === undefined) throw refused(`a ${typeof value} cannot be written as JSON. Convert it to plain data first.`);
  return text;
}

function fromPayload(payload: Payload): unknown {
  const { body, contentType } = payload;
  switch (body.case) {
    case undefined:
      return undefined;
    case "bytes":
      return isJson(contentType) ? parseJson(new TextDecoder().decode(body.value)) : body.value;
    case "text":
      return contentType === "" || isJson(contentType) ? parseJson(body.value) : body.value;
  }
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw refused("a payload says that it is JSON and is not", cause);
  }
}

function refused(message: string, cause?: unknown): TqError {
  return new TqError({ code: "invalid_argument", message, cause });
}
