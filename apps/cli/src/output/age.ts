import { type Duration, durationMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

const units = [
  { name: "d", ms: 86_400_000 },
  { name: "h", ms: 3_600_000 },
  { name: "m", ms: 60_000 },
  { name: "s", ms: 1_000 },
] as const;

/** A length of time for people, in its two largest units: `350ms`, `4.2s`, `42s`, `4m 12s`, `2d 3h`. */
export function humanDuration(ms: number): string {
  const wholeMs = Math.max(0, Math.round(ms));
  if (wholeMs < 1_000) return `${wholeMs}ms`;
  if (wholeMs < 10_000) return `${Math.floor(wholeMs / 100) / 10}s`;
  const index = units.findIndex((unit) => wholeMs >= unit.ms);
  const [large, small] = [units[index], units[index + 1]];
  if (large === undefined) return `${wholeMs}ms`;
  const whole = Math.floor(wholeMs / large.ms);
  const rest = small === undefined ? 0 : Math.floor((wholeMs % large.ms) / small.ms);
  return `${whole}${large.name}${rest === 0 || small === undefined ? "" : ` ${rest}${small.name}`}`;
}

/** The same of a message; undefined if it is unset. */
export function humanDurationOf(duration: Duration | undefined): string | undefined {
  return duration === undefined ? undefined : humanDuration(durationMs(duration));
}

/** How long ago a moment was: `5m ago`. The server's clock may be a little ahead of this one, which counts as now. */
export function ago(moment: Timestamp | undefined, nowMs: number): string | undefined {
  return moment === undefined ? undefined : `${humanDuration(nowMs - timestampMs(moment))} ago`;
}

/** How far a moment lies ahead: `in 5m`, or `now`. */
export function ahead(moment: Timestamp | undefined, nowMs: number): string | undefined {
  if (moment === undefined) return undefined;
  const leftMs = timestampMs(moment) - nowMs;
  return leftMs <= 0 ? "now" : `in ${humanDuration(leftMs)}`;
}

/** A moment and how long ago it was: `2026-01-31T12:00:00.000Z (5m ago)`. */
export function momentAndAge(moment: Timestamp | undefined, nowMs: number): string | undefined {
  if (moment === undefined) return undefined;
  const ms = timestampMs(moment);
  return `${new Date(ms).toISOString()} (${ms > nowMs ? ahead(moment, nowMs) : ago(moment, nowMs)})`;
}
