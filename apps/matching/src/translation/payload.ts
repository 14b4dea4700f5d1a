import { toBinary } from "@bufbuild/protobuf";
import { FailureSchema, type Failure, type Payload } from "@tq/proto";
import type { Encoded, FailureRecord } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { readDurationMs, upToTenYears } from "../validation/numbers.ts";
import { allowText, fitsBytes, readHeaders } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { encodePayload, encodePayloads, noPayloads, payloadBytes } from "./payload-codec.ts";
import type { Writable } from "./writable.ts";

const metadataLimit = { entries: Infinity, bytes: bounds.metadataBytes };

/** The payloads of an input, checked and encoded. */
export function readPayloads(payloads: readonly Payload[], field: string, violations: Violations): Encoded {
  if (payloads.length === 0) return noPayloads;
  if (payloads.length > bounds.payloadsPerInput) {
    const takes = `has ${payloads.length} payloads and may have ${bounds.payloadsPerInput}; put many values into one`;
    violations.add("TOO_MANY_ITEMS", field, takes);
    return noPayloads;
  }
  let bytes = 0;
  for (const payload of payloads) bytes += checkPayload(payload, field, violations);
  return limitPayload(bytes, field, violations) ? encodePayloads(payloads) : noPayloads;
}

/** One payload, such as a result, checked and encoded. Undefined where there is none; an empty one is not none. */
export function readPayload(
  payload: Payload | undefined,
  field: string,
  violations: Violations,
  maxBytes: number = bounds.payloadBytes,
): Encoded | undefined {
  if (payload === undefined) return undefined;
  const bytes = checkPayload(payload, field, violations);
  return limitPayload(bytes, field, violations, maxBytes) ? encodePayload(payload) : noPayloads;
}

/** A failure, checked and encoded whole. None given is an empty one. */
export function readFailure(failure: Failure | undefined, field: string, violations: Violations): FailureRecord {
  if (failure === undefined) return { type: "", message: "", nonRetryable: false, encoded: noPayloads };
  allowText(failure.type, bounds.nameBytes, `${field}.type`, violations);
  const nextRetryDelayMs = readDurationMs(
    failure.nextRetryDelay,
    upToTenYears,
    `${field}.next_retry_delay`,
    violations,
  );
  const encoded = toBinary(FailureSchema, failure);
  limitPayload(encoded.length, field, violations);
  const record: Writable<FailureRecord> = {
    type: failure.type,
    message: failure.message,
    nonRetryable: failure.nonRetryable,
    encoded,
  };
  if (nextRetryDelayMs !== undefined) record.nextRetryDelayMs = nextRetryDelayMs;
  return record;
}

function checkPayload(payload: Payload, field: string, violations: Violations): number {
  if (!fitsBytes(payload.contentType, bounds.contentTypeBytes)) {
    violations.add("INVALID_FIELD", `${field}.content_type`, `must be at most ${bounds.contentTypeBytes} bytes long`);
  }
  readHeaders(payload.metadata, metadataLimit, `${field}.metadata`, violations);
  return payloadBytes(payload);
}

function limitPayload(
  bytes: number,
  field: string,
  violations: Violations,
  maxBytes: number = bounds.payloadBytes,
): boolean {
  if (bytes <= maxBytes) return true;
  violations.add("PAYLOAD_TOO_LARGE", field, `is ${bytes} bytes and may be ${maxBytes}`);
  return false;
}
