import type { Payload } from "@tq/proto";
import { TqError } from "./errors.ts";
import { halfAPair } from "./option-checks.ts";
import { defaultPayloadConverter, type PayloadConverter } from "./payload-converter.ts";

/** {@link defaultPayloadConverter}'s payload of a value. */
export function encodePayload(value: unknown): Payload {
  return defaultPayloadConverter.toPayload(value);
}

/** {@link defaultPayloadConverter}'s value of a payload; an unset one is `undefined`. */
export function decodePayload(payload: Payload | undefined): unknown {
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
}

/** One payload per argument. An error names the argument, as in `input[1]`. */
export function encodeInput(args: readonly unknown[], converter: PayloadConverter): Payload[] {
  return args.map((arg, index) => {
    try {
      return checked(converter.toPayload(arg));
    } catch (error) {
      throw unpayable(`input[${index}]`, error);
    }
  });
}

/** The payload of a value that has a name in errors. */
export function encodeField(value: unknown, field: string, converter: PayloadConverter): Payload {
  try {
    return checked(converter.toPayload(value));
  } catch (error) {
    throw unpayable(field, error);
  }
}

/**
 * A payload, if it can be written down. Converters and codecs are anybody's, and many payloads go in one call: one that
 * cannot be written would fail the call, and what goes with it.
 */
export function checked(payload: Payload): Payload {
  const given: unknown = payload;
  if (typeof given !== "object" || given === null) throw new TypeError("its payload is no object");
  const { contentType, metadata, body } = payload;
  if (typeof contentType !== "string") throw new TypeError("the content type of its payload is no text");
  for (const name in metadata) {
    const value: unknown = metadata[name];
    if (typeof value !== "string") throw new TypeError(`metadata ${JSON.stringify(name)} of its payload is no text`);
    if (!name.isWellFormed() || !value.isWellFormed())
      throw new TypeError(`metadata ${JSON.stringify(name)} of its payload ${halfAPair}`);
  }
  if (!contentType.isWellFormed()) throw new TypeError(`the content type of its payload ${halfAPair}`);
  const fits =
    body.case === "text"
      ? typeof body.value === "string"
      : body.case === "bytes"
        ? body.value instanceof Uint8Array
        : body.case === undefined;
  if (!fits) throw new TypeError(`the body of its payload is not of the case ${JSON.stringify(body.case)}`);
  if (body.case === "text" && !body.value.isWellFormed()) throw new TypeError(`the text of its payload ${halfAPair}`);
  return payload;
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
  let bytes = 8 + payload.contentType.length;
  for (const name in payload.metadata) bytes += 8 + name.length + 3 * (payload.metadata[name] ?? "").length;
  switch (payload.body.case) {
    case "text":
      return bytes + Buffer.byteLength(payload.body.value);
    case "bytes":
      return bytes + payload.body.value.byteLength;
    case undefined:
      return bytes;
  }
}
