import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Failure, FailureSchema, type Payload } from "@tq/proto";
import { ApplicationFailure } from "./application-failure.ts";
import { longestDurationMs } from "./duration.ts";
import { checked, encodePayload } from "./payload.ts";
import type { PayloadConverter } from "./payload-converter.ts";
import { describeThrown, textOr, undescribable } from "./thrown.ts";

/** Failures are kept with the task and shown to people: what is longer is cut, and says so. The contract takes 2 MiB. */
const maxTextBytes = 32 * 1024;
const maxDetailsBytes = 1024 * 1024;
const maxTypeBytes = 200;
const maxCauses = 10;

/** The contract's failure of anything that a handler may throw. Never throws itself. */
export function encodeFailure(thrown: unknown, converter: PayloadConverter): Failure {
  try {
    return encodeCause(thrown, converter, maxCauses);
  } catch {
    // A proxy, or an error whose properties throw when they are read.
    return create(FailureSchema, { type: "Error", message: undescribable });
  }
}

function encodeCause(thrown: unknown, converter: PayloadConverter, depth: number): Failure {
  if (!(thrown instanceof Error)) {
    return create(FailureSchema, { type: "Error", message: cut(describeThrown(thrown), maxTextBytes) });
  }
  const { cause } = thrown;
  const failure = create(FailureSchema, {
    type: cut(thrown instanceof ApplicationFailure ? thrown.type : textOr(thrown.name, "Error"), maxTypeBytes),
    message: cut(textOr(thrown.message, ""), maxTextBytes),
    stackTrace: cut(textOr(thrown.stack, ""), maxTextBytes),
    ...(cause !== undefined && depth > 0 && { cause: encodeCause(cause, converter, depth - 1) }),
  });
  if (thrown instanceof ApplicationFailure) {
    failure.nonRetryable = thrown.nonRetryable;
    failure.details = encodeDetails(thrown.details, converter);
    if (thrown.nextRetryDelayMs !== undefined)
      failure.nextRetryDelay = durationFromMs(Math.min(Math.round(thrown.nextRetryDelayMs), longestDurationMs));
  }
  return failure;
}

function encodeDetails(details: readonly unknown[], converter: PayloadConverter): Payload[] {
  let bytes = 0;
  return details.map((detail) => {
    let payload: Payload;
    try {
      payload = checked(converter.toPayload(detail));
    } catch (error) {
      return encodePayload(
        `[a detail that cannot be serialised: ${error instanceof Error ? error.message : "unknown"}]`,
      );
    }
    bytes += payload.body.value?.length ?? 0;
    return bytes > maxDetailsBytes ? encodePayload("[a detail that is too large]") : payload;
  });
}

/** At most `maxBytes` of UTF-8; what is longer ends in a mark that says how long it was. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  const mark = `… [${bytes} bytes]`;
  const kept = Buffer.from(text)
    .subarray(0, maxBytes - Buffer.byteLength(mark))
    .toString();
  // A character cut in two decodes to one that is longer than what was left of it.
  return kept.replace(/\uFFFD$/, "") + mark;
}
