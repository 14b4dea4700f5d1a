export { type LogFields, type Logger, logLine, stderrLogger, withFields } from "@tq/client";
