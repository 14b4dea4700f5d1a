/** What a log line is about, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go: pino's four methods, so any logger that has them will do. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Warnings and errors, one line each, on stderr. What is used unless another one is given. */
export const stderrLogger: Logger = Object.freeze({
  debug: () => {},
  info: () => {},
  warn: (fields: LogFields, message: string) => void process.stderr.write(logLine("warn", fields, message)),
  error: (fields: LogFields, message: string) => void process.stderr.write(logLine("error", fields, message)),
});

/**
 * The same logger, with `fields` added to every line. A line's own fields win. As with pino, a program in JavaScript may
 * leave the fields out.
 */
export function withFields(logger: Logger, fields: LogFields): Logger {
  const log =
    (level: keyof Logger) =>
    (own: LogFields | string, message: string): void =>
      typeof own === "string" ? logger[level](fields, own) : logger[level]({ ...fields, ...own }, message);
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

/** A line as {@link stderrLogger} writes it, with its line break. */
export function logLine(level: keyof Logger, fields: LogFields, message: string): string {
  const words = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${wordOf(value)}`,
  );
  return `${[new Date().toISOString(), level, message, ...words].join(" ")}\n`;
}

/** One word of a line: no line breaks, and nothing that a value can do makes logging throw. */
function wordOf(value: unknown): string {
  try {
    const text =
      value instanceof Error
        ? `${value.name}: ${value.message}`
        : typeof value === "string"
          ? value
          : JSON.stringify(value);
    return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
  } catch {
    return "?";
  }
}
