// What can be set on a queue: the options of `tq queue config set` and the fields of `unset`, in one place.

import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import type { FairnessKeyConfig, RetryPolicy, TaskQueueConfig } from "@tq/proto";
import { Option } from "commander";
import { durationArgument } from "../arguments/duration.ts";
import { listArgument } from "../arguments/list.ts";
import { integerArgument, numberArgument } from "../arguments/number.ts";
import { filledArgument } from "../arguments/text.ts";

/** A value as it travels. */
export type SettingValue = number | bigint | Duration | readonly string[];

/** A field of a message `Of` that can be set. */
export interface Setting<Of> {
  /** As in `--max-started`, and as a field to unset. */
  readonly name: string;
  readonly field: keyof Of & string;
  /** What its value looks like. */
  readonly placeholder: string;
  readonly about: string;
  readonly read: (text: string, previous: never) => SettingValue;
}

const maxUint32 = 0xffff_ffff;
const uint32 = integerArgument({ min: 0, max: maxUint32 });
const atLeastOne = integerArgument({ min: 1, max: maxUint32 });
const uint64 = integerArgument({ min: 0, max: Number.MAX_SAFE_INTEGER });
const rate = numberArgument({ min: 0, max: Number.MAX_SAFE_INTEGER });
const duration = (text: string): Duration => durationFromMs(durationArgument(text));

/** Of a queue as a whole. */
export const queueSettings: readonly Setting<TaskQueueConfig>[] = [
  {
    name: "rate",
    field: "ratePerSecond",
    placeholder: "<n>",
    about: "dispatches per second; adding is never slowed",
    read: rate,
  },
  {
    name: "burst",
    field: "burst",
    placeholder: "<n>",
    about: "dispatches that may come at once after a quiet time (default: the rate of one second)",
    read: atLeastOne,
  },
  { name: "max-started", field: "maxStarted", placeholder: "<n>", about: "tasks started at once", read: uint32 },
  {
    name: "max-backlog",
    field: "maxBacklog",
    placeholder: "<n>",
    about: "open tasks; adds beyond are refused",
    read: (text) => BigInt(uint64(text)),
  },
  {
    name: "completed-retention",
    field: "completedRetention",
    placeholder: "<duration>",
    about: "how long completed and canceled tasks are kept; 0s: not at all (default: 1h)",
    read: duration,
  },
  {
    name: "dead-retention",
    field: "deadRetention",
    placeholder: "<duration>",
    about: "how long dead tasks are kept; 0s: not at all (default: 14d)",
    read: duration,
  },
  {
    name: "start-to-close",
    field: "defaultStartToCloseTimeout",
    placeholder: "<duration>",
    about: "how long an attempt may take, for tasks that do not say; 0s: no limit (default: 1h, workflow tasks 10s)",
    read: duration,
  },
  {
    name: "schedule-to-start",
    field: "defaultScheduleToStartTimeout",
    placeholder: "<duration>",
    about: "how long a ready task may wait for a worker, for tasks that do not say; 0s: no limit",
    read: duration,
  },
  {
    name: "schedule-to-close",
    field: "defaultScheduleToCloseTimeout",
    placeholder: "<duration>",
    about: "how long a task may live in all, for tasks that do not say; 0s: no limit",
    read: duration,
  },
];

/** Of the retry policy for tasks that bring none. */
export const retrySettings: readonly Setting<RetryPolicy>[] = [
  {
    name: "max-attempts",
    field: "maximumAttempts",
    placeholder: "<n>",
    about: "attempts in all; 0: no limit (default: 25 for activities)",
    read: uint32,
  },
  {
    name: "initial-interval",
    field: "initialInterval",
    placeholder: "<duration>",
    about: "wait after the first failed attempt (default: 1s)",
    read: duration,
  },
  {
    name: "backoff-coefficient",
    field: "backoffCoefficient",
    placeholder: "<n>",
    about: "factor from one wait to the next (default: 2)",
    read: numberArgument({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
  {
    name: "max-interval",
    field: "maximumInterval",
    placeholder: "<duration>",
    about: "longest wait (default: 100s)",
    read: duration,
  },
  {
    name: "jitter",
    field: "jitter",
    placeholder: "<0-1>",
    about: "share of each wait that is drawn at random (default: 0.1)",
    read: numberArgument({ min: 0, max: 1 }),
  },
  {
    name: "non-retryable",
    field: "nonRetryableFailureTypes",
    placeholder: "<type>",
    about: "failure type that is never tried again; may be repeated, and replaces those set before",
    read: listArgument(filledArgument),
  },
];

/** Of one fairness key, or of all that are not named. */
export const keySettings: readonly Setting<FairnessKeyConfig>[] = [
  { name: "rate", field: "ratePerSecond", placeholder: "<n>", about: "dispatches per second", read: rate },
  { name: "burst", field: "burst", placeholder: "<n>", about: "dispatches that may come at once", read: atLeastOne },
  {
    name: "weight",
    field: "weight",
    placeholder: "<n>",
    about: "with --key or --default-key: its share of the dispatch, 0.001 to 1000; wins over the tasks' own",
    read: numberArgument({ min: 0.001, max: 1_000 }),
  },
  { name: "max-started", field: "maxStarted", placeholder: "<n>", about: "tasks started at once", read: uint32 },
];

/** The option that sets it. */
export function settingOption({ name, placeholder, about, read }: Setting<never>): Option {
  // Commander hands a list what it has read of it so far, and all others nothing.
  return new Option(`--${name} ${placeholder}`, about).argParser((text, previous) => read(text, previous as never));
}
