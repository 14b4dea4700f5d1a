/*
 * What a value given by a caller has to be. The compiler sees to most of it for TypeScript; a program in JavaScript, or one
 * that reads its options from somewhere, would have a wrong one ignored, or hear of it as a TypeError from deep inside.
 * Each throws a TqError `invalid_argument` that names the field.
 */
import { invalidField } from "./errors.ts";

/** A value as an error shows it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** An object with fields: no array, and not null. @throws TqError `invalid_argument` naming the field. */
export function requireRecord(value: unknown, field: string): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidField(field, `${shown(value)} is no object`);
  }
}

/** What is wrong with such a text. */
export const halfAPair =
  "has half a surrogate pair, which no text in UTF-8 can have (String.toWellFormed() replaces it)";

/** Text that can be written down, which may be empty. @throws TqError `invalid_argument` naming the field. */
export function requireText(value: unknown, field: string): asserts value is string {
  if (typeof value !== "string") throw invalidField(field, `${shown(value)} is no text`);
  // Written down it would be another text, and perhaps the same as its neighbour's.
  if (!value.isWellFormed()) throw invalidField(field, `${shown(value)} ${halfAPair}`);
}

/** Text that is not empty, and of a length that a server takes. @throws TqError `invalid_argument` naming the field. */
export function requireName(value: unknown, field: string, maxBytes: number): asserts value is string {
  requireText(value, field);
  if (value === "") throw invalidField(field, "is empty: name one, or leave it out where it has a default");
  requireShort(value, field, maxBytes);
}

/** Text of at most so many bytes. @throws TqError `invalid_argument` naming the field. */
export function requireShort(value: unknown, field: string, maxBytes: number): asserts value is string {
  requireText(value, field);
  // A character is at most three bytes.
  const bytes = value.length * 3 <= maxBytes ? 0 : Buffer.byteLength(value);
  if (bytes > maxBytes) throw invalidField(field, `has ${bytes} bytes; at most ${maxBytes}`);
}

/** An array. @throws TqError `invalid_argument` naming the field. */
export function requireList(value: unknown, field: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw invalidField(field, `${shown(value)} is no array`);
}

/** An array of texts. @throws TqError `invalid_argument` naming the field. */
export function requireTexts(value: unknown, field: string): asserts value is readonly string[] {
  requireList(value, field);
  for (const [index, each] of value.entries()) requireText(each, `${field}[${index}]`);
}

/** Whether a value can be awaited. Not by its class: a test runner may have classes of its own. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, "then") === "function";
}

/** True, false, or nothing. @throws TqError `invalid_argument` naming the field. */
export function optionalBoolean(value: unknown, field: string): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== "boolean") {
    throw invalidField(field, `${shown(value)} is neither true nor false`);
  }
}

/** A function, or nothing. @throws TqError `invalid_argument` naming the field. */
export function optionalFunction(value: unknown, field: string): void {
  if (value !== undefined && typeof value !== "function") throw invalidField(field, `${shown(value)} is no function`);
}

/** A finite number, or nothing. @throws TqError `invalid_argument` naming the field. */
export function optionalNumber(value: unknown, field: string): asserts value is number | undefined {
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return;
  throw invalidField(field, `${shown(value)} is no number`);
}

/** A whole number as the contract has it, 32 bits without a sign, or nothing. @throws TqError `invalid_argument` naming the field. */
export function optionalWhole(value: unknown, field: string): asserts value is number | undefined {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32)) return;
  throw invalidField(field, `${shown(value)} is no whole number from 0 to 4294967295`);
}

/** An `AbortSignal`, or nothing. @throws TqError `invalid_argument` naming the field. */
export function optionalSignal(value: unknown, field: string): asserts value is AbortSignal | undefined {
  // Not by its class: a test runner may have classes of its own.
  if (value === undefined || (typeof value === "object" && value !== null && "aborted" in value && "reason" in value))
    return;
  throw invalidField(
    field,
    `${shown(value)} is no AbortSignal: write AbortSignal.timeout(5000), or that of a controller`,
  );
}
