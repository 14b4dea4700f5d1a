import { invalidField } from "./errors.ts";

/**
 * What was given, if it has these methods. A program in JavaScript would otherwise hear of a missing one when it is first
 * called, which for a logger is when something has gone wrong.
 *
 * @param field What it is called where it was given.
 * @throws TqError `invalid_argument` naming the field and the methods that are missing.
 */
export function withMethods<T extends object>(object: T, field: string, methods: readonly (keyof T & string)[]): T {
  const given: unknown = object;
  if ((typeof given !== "object" && typeof given !== "function") || given === null) {
    throw invalidField(field, `${String(given)} is no object`);
  }
  const missing = methods.filter((method) => typeof object[method] !== "function");
  if (missing.length > 0) throw invalidField(field, `has no method ${missing.join(", ")}`);
  return object;
}

/** {@link withMethods}, of each in a list. @throws TqError as it does, and if it is no array. */
export function allWithMethods<T extends object>(
  list: readonly T[],
  field: string,
  methods: readonly (keyof T & string)[],
): readonly T[] {
  const given: unknown = list;
  if (!Array.isArray(given)) throw invalidField(field, "is no array");
  for (const [index, object] of list.entries()) withMethods(object, `${field}[${index}]`, methods);
  return list;
}
