import { parseDuration } from "@tq/client";
import { InvalidArgumentError } from "commander";

/** Reads a moment: ISO 8601, or a length of time that counts back from now (`10m` is ten minutes ago). */
export function momentArgument(now: () => number): (text: string) => Date {
  return (text) => {
    const date = /^\d{4}-\d{2}/.test(text) ? new Date(text) : backFrom(now(), text);
    if (date !== undefined && !Number.isNaN(date.getTime())) return date;
    throw new InvalidArgumentError("Write it like 2026-01-31T12:00:00Z, or 10m for ten minutes ago.");
  };
}

/** Reads a moment to come, in ISO 8601. */
export function futureMomentArgument(now: () => number): (text: string) => Date {
  return (text) => {
    const date = /^\d{4}-\d{2}/.test(text) ? new Date(text) : undefined;
    if (date === undefined || Number.isNaN(date.getTime())) {
      throw new InvalidArgumentError("Write it like 2026-01-31T12:00:00Z.");
    }
    if (date.getTime() > now()) return date;
    throw new InvalidArgumentError("It is over.");
  };
}

function backFrom(nowMs: number, text: string): Date | undefined {
  try {
    return new Date(nowMs - parseDuration(text, "moment"));
  } catch {
    return undefined;
  }
}
