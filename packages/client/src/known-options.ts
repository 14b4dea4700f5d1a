import { invalidField } from "./errors.ts";
import { requireRecord } from "./option-checks.ts";

/** Every option of a type. The compiler sees to it that none is missing and none too many. */
export type KnownOptions<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses options that there are not. The compiler does so for TypeScript; everybody else would have a misspelled one
 * ignored, and its default in force, without a word.
 *
 * @param within What holds the options, where they are options of an option.
 * @throws TqError `invalid_argument` naming the option, and those that there are; or `options` if it is no object.
 */
export function refuseUnknownOptions<Options extends object>(
  options: Options,
  known: KnownOptions<Options>,
  within?: string,
): void {
  requireRecord(options, within ?? "options");
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    const field = within === undefined ? name : `${within}.${name}`;
    throw invalidField(field, `there is no such option; there are ${Object.keys(known).sort().join(", ")}`);
  }
}
