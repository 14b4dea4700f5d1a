import { invalidField } from "./errors.ts";
import { requireRecord } from "./option-checks.ts";

/**
 * Every option of a type. The compiler sees to it that none is missing and none too many, and that those whose value may be
 * null are the nullable ones.
 */
export type KnownOptions<Options> = {
  readonly [Name in keyof Options]-?: null extends Options[Name] ? "nullable" : true;
};

/**
 * Refuses options that there are not, and null for one that it is no value of. The compiler does so for TypeScript; everybody
 * else would have a misspelled one ignored, or one that a file of options has as null, and its default in force, without a word.
 *
 * @param within What holds the options, where they are options of an option.
 * @throws TqError `invalid_argument` naming the option, and those that there are if it is none; or `options` if it is no object.
 */
export function refuseUnknownOptions<Options extends object>(
  options: Options,
  known: KnownOptions<Options>,
  within?: string,
): void {
  requireRecord(options, within ?? "options");
  for (const name in options) {
    const isKnown = Object.hasOwn(known, name);
    if (isKnown && (options[name] !== null || known[name as keyof Options] === "nullable")) continue;
    const field = within === undefined ? name : `${within}.${name}`;
    if (isKnown) throw invalidField(field, "is null: give a value, or leave it out where it has a default");
    throw invalidField(field, `there is no such option; there are ${Object.keys(known).sort().join(", ")}`);
  }
}
