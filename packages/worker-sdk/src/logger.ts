export { type LogFields, type Logger, stderrLogger } from "@tq/client";
export { logLine, withFields } from "@tq/client/internal";
