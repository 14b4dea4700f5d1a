import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: O }>>["values"];

/** Something on the command line is not what it should be; the message names it. */
export class UsageError extends Error {}

/**
 * Reads this process's command line. With `--help` it prints `usage` and ends the process; what it does not know, or `read`
 * refuses with a UsageError, it names, and ends the process with status 2.
 */
export function commandLine<const O extends Options, T>(usage: string, options: O, read: (values: Values<O>) => T): T {
  // pnpm hands its own separator on.
  const args = process.argv.slice(2).filter((arg) => arg !== "--");
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return read(parseArgs({ args, options }).values);
  } catch (error) {
    if (!(error instanceof UsageError || isFromParseArgs(error))) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

/** A number of the command line. @throws UsageError naming the option if it is none, or outside of its range. */
export function numberOf(
  option: string,
  text: string,
  { least = 0, most = Infinity, isWhole = false }: { least?: number; most?: number; isWhole?: boolean } = {},
): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (number >= least && number <= most && (!isWhole || Number.isSafeInteger(number))) return number;
  const range = most === Infinity ? `${least} or more` : `${least} to ${most}`;
  throw new UsageError(`${option} must be a ${isWhole ? "whole " : ""}number, ${range}, not "${text}"`);
}

/** Names, separated by commas. @throws UsageError naming one that is not known. */
export function namesOf(option: string, text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(`${option}: there is no "${unknown}"; it takes some of ${known.join(",")}`);
}

function isFromParseArgs(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
