// What a handler asks of its context, as functions: those of `@temporalio/activity`, by the same names, so that activities move
// over with their imports changed. Each is `Context.current()`'s, and throws outside of a handler.

import type { Meter } from "@opentelemetry/api";
import type { Client, Duration } from "@tq/client";
import { Context, type TaskInfo } from "./context.ts";
import type { Logger } from "./logger.ts";

/** {@link Context.info} of the handler that is running here. */
export function activityInfo(): TaskInfo {
  return Context.current().info;
}

/** {@link Context.heartbeat}. */
export function heartbeat(details?: unknown): void {
  Context.current().heartbeat(details);
}

/** {@link Context.sleep}. */
export function sleep(duration: Duration): Promise<void> {
  return Context.current().sleep(duration);
}

/** {@link Context.cancelled}. */
export function cancelled(): Promise<never> {
  return Context.current().cancelled;
}

/** {@link Context.cancellationSignal}. */
export function cancellationSignal(): AbortSignal {
  return Context.current().cancellationSignal;
}

/** {@link Context.log} of the handler that is running as a line is logged. Fields come first, then the message. */
export const log: Logger = {
  debug: (fields, message) => Context.current().log.debug(fields, message),
  info: (fields, message) => Context.current().log.info(fields, message),
  warn: (fields, message) => Context.current().log.warn(fields, message),
  error: (fields, message) => Context.current().log.error(fields, message),
};

/** {@link Context.client}. */
export function getClient(): Client {
  return Context.current().client;
}

/** {@link Context.metricMeter}. */
export function getMetricMeter(): Meter {
  return Context.current().metricMeter;
}
