// What may be thrown: anything at all. Nothing here throws in its turn, but for a proxy that does when it is looked at.

/** Whether something is an object of a class. A proxy that throws when it is looked at is none. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** What is said of something that throws when it is looked at. */
export const undescribable = "The handler threw something that cannot be described";

/** Something that is no Error, in words. */
export function describeThrown(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown === "object" && thrown !== null) {
    try {
      return `The handler threw ${JSON.stringify(thrown)}, which is no Error`;
    } catch {
      return "The handler threw an object that is no Error";
    }
  }
  return `The handler threw ${String(thrown)}, which is no Error`;
}

/** Any value, in a word. */
export function describeValue(value: unknown): string {
  return typeof value === "object" && value !== null ? "Object" : String(value);
}

/** A text that may be missing, or no text. */
export function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}
