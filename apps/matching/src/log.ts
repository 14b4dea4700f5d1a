/** What a log line is about. Values are printed as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the server writes what its operator should know: any logger with pino's four methods. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** An error as it can be printed. Stacks are for machines to keep, not for people to read past. */
function plain(value: unknown, format: "text" | "json"): unknown {
  if (!(value instanceof Error)) return value;
  if (format === "json") return { name: value.name, message: value.message, stack: value.stack };
  return `${value.name}: ${value.message}`;
}

/**
 * A logger that writes a line for each entry.
 *
 * @param format "json" is for machines; "text" is for people, with the fields behind the message
 * @param write gets each line, with its line end
 */
export function lineLogger(format: "text" | "json", write: (line: string) => void, now: () => Date): Logger {
  const log = (level: string) => (fields: LogFields, message: string) => {
    const entries = Object.entries(fields).map(([key, value]) => [key, plain(value, format)] as const);
    if (format === "json") {
      write(`${JSON.stringify({ time: now().toISOString(), level, message, ...Object.fromEntries(entries) })}\n`);
      return;
    }
    const details = entries.map(
      ([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    write(`${now().toISOString()} ${level.toUpperCase()} ${message}${details.join("")}\n`);
  };
  return { debug: () => undefined, info: log("info"), warn: log("warn"), error: log("error") };
}
