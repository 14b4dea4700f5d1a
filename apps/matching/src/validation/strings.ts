import type { Violations } from "./violations.ts";

/** Control characters, and halves of surrogate pairs, which have no UTF-8. */
const forbidden = /[\p{Cc}\p{Cs}]/u;

/** Whether a string takes no more than so many bytes of UTF-8. Counts only where the length leaves it open. */
export function fitsBytes(value: string, maxBytes: number): boolean {
  if (value.length * 3 <= maxBytes) return true;
  return value.length <= maxBytes && Buffer.byteLength(value) <= maxBytes;
}

/** A name that must be there. */
export function requireName(value: string, maxBytes: number, field: string, violations: Violations): void {
  if (value === "") violations.add("INVALID_NAME", field, "must not be empty");
  else allowName(value, maxBytes, field, violations);
}

/** A name that may be empty. */
export function allowName(value: string, maxBytes: number, field: string, violations: Violations): void {
  if (!fitsBytes(value, maxBytes)) violations.add("INVALID_NAME", field, `must be at most ${maxBytes} bytes long`);
  else if (forbidden.test(value)) violations.add("INVALID_NAME", field, "must have no control characters");
}

/** Words for people: anything but too long. */
export function allowText(value: string, maxBytes: number, field: string, violations: Violations): void {
  if (!fitsBytes(value, maxBytes)) violations.add("INVALID_FIELD", field, `must be at most ${maxBytes} bytes long`);
}

/** Headers and the like: a bounded number of entries of bounded size. Undefined if there are none. */
export function readHeaders(
  headers: Readonly<Record<string, string>>,
  limit: { readonly entries: number; readonly bytes: number },
  field: string,
  violations: Violations,
): Readonly<Record<string, string>> | undefined {
  const keys = Object.keys(headers);
  if (keys.length === 0) return undefined;
  if (keys.length > limit.entries)
    violations.add("TOO_MANY_ITEMS", field, `must have at most ${limit.entries} entries`);
  let bytes = 0;
  for (const key of keys) bytes += Buffer.byteLength(key) + Buffer.byteLength(headers[key] ?? "");
  if (bytes > limit.bytes) violations.add("INVALID_FIELD", field, `must be at most ${limit.bytes} bytes in all`);
  return headers;
}
