import type { History } from "../history.ts";
import { attempts } from "./attempts.ts";
import { undelivered } from "./undelivered.ts";
import { revisions } from "./revisions.ts";
import { replySizes } from "./reply-sizes.ts";
import { idPolicies } from "./id-policies.ts";
import { fallbacks } from "./fallbacks.ts";
import { confirmations } from "./confirmations.ts";
import { bulks } from "./bulks.ts";
import { closings } from "./closings.ts";
import { deadlines } from "./deadlines.ts";
import { fencing } from "./fencing.ts";
import { leases } from "./leases.ts";
import { maxStarted } from "./max-started.ts";
import { order } from "./order.ts";
import { outcomes } from "./outcomes.ts";
import { owners } from "./owners.ts";
import { rates } from "./rates.ts";
import { requests } from "./requests.ts";
import { routing } from "./routing.ts";
import { switchedOff } from "./switched-off.ts";

/** Finds what must not have happened. */
type Check = (history: History) => readonly string[];

const checks = {
  closings,
  outcomes,
  fencing,
  leases,
  requests,
  owners,
  routing,
  attempts,
  deadlines,
  order,
  rates,
  maxStarted,
  bulks,
  confirmations,
  fallbacks,
  idPolicies,
  replySizes,
  revisions,
  undelivered,
  switchedOff,
} as const satisfies Readonly<Record<string, Check>>;

/** Looks through the history of a run. Answers what was wrong, each with the name of its check; empty: nothing. */
export function checkHistory(history: History): string[] {
  return Object.entries(checks).flatMap(([name, check]) => check(history).map((violation) => `${name}: ${violation}`));
}
