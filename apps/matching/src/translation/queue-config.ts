import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { TaskQueueKind } from "@tq/matching-core";
import {
  FairnessKeyConfigSchema,
  TaskQueueConfigSchema,
  type FairnessKeyConfig,
  type TaskQueueConfig as ConfigMessage,
} from "@tq/proto";
import type { ConfigField, FairnessKeyRecord, TaskQueueConfig } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import {
  limitItems,
  limitNumber,
  limitRate,
  limitWeight,
  readDurationMs,
  upToTenYears,
} from "../validation/numbers.ts";
import { allowName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { readRetryPolicy, toRetryPolicyMessage } from "./retry-policy.ts";
import { toDuration } from "./time.ts";
import type { Writable } from "./writable.ts";

/** What a change of a configuration says. */
export interface ReadConfig {
  readonly fields: readonly ConfigField[];
  readonly to: Omit<TaskQueueConfig, "revision">;
}

type ConfigWithoutRevision = Writable<Omit<TaskQueueConfig, "revision">>;

interface Surroundings {
  readonly kind: TaskQueueKind;
  readonly violations: Violations;
}

/** A field of the configuration, under the path that a field mask names. */
interface FieldReader {
  readonly field: ConfigField;
  readonly isSet: (message: ConfigMessage) => boolean;
  /** Takes its value, checked, from a message into a record; where it is unset, it takes nothing. */
  readonly read: (message: ConfigMessage, to: ConfigWithoutRevision, around: Surroundings) => void;
}

function fieldReader<Name extends keyof ConfigMessage, Field extends ConfigField>(
  path: string,
  name: Name,
  field: Field,
  read: (
    value: NonNullable<ConfigMessage[Name]>,
    path: string,
    around: Surroundings,
  ) => ConfigWithoutRevision[Field] | undefined,
): readonly [path: string, reader: FieldReader] {
  const reader: FieldReader = {
    field,
    // A map is never unset: an empty one counts as if it was.
    isSet: ({ [name]: value }) => value !== undefined && !(name === "fairnessKeys" && isEmpty(value)),
    read: ({ [name]: value }, to, around) => {
      const taken = value === undefined || value === null ? undefined : read(value, `config.${path}`, around);
      if (taken !== undefined) to[field] = taken;
    },
  };
  return [path, reader];
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

const pauseInstead = "; pause the queue to stop dispatch";
const drainInstead = "; drain the queue to refuse every add";

const readDuration = (value: Duration, path: string, { violations }: Surroundings): number | undefined =>
  readDurationMs(value, upToTenYears, path, violations);

const fieldReaders: ReadonlyMap<string, FieldReader> = new Map([
  fieldReader("rate_per_second", "ratePerSecond", "ratePerSecond", (value, path, { violations }) =>
    limitRate(value, path, violations),
  ),
  fieldReader("burst", "burst", "burst", (value, path, { violations }) => limitNumber(value, path, "", violations)),
  fieldReader("fairness_keys", "fairnessKeys", "fairnessKeys", (value, path, { violations }) =>
    readFairnessKeys(value, path, violations),
  ),
  fieldReader("default_fairness_key", "defaultFairnessKey", "defaultFairnessKey", (value, path, { violations }) =>
    readFairnessKey(value, path, violations),
  ),
  fieldReader("max_started", "maxStarted", "maxStarted", (value, path, { violations }) =>
    limitNumber(value, path, pauseInstead, violations),
  ),
  fieldReader("max_backlog", "maxBacklog", "maxBacklog", (value, path, { violations }) =>
    limitNumber(Number(value), path, drainInstead, violations),
  ),
  fieldReader("completed_retention", "completedRetention", "completedRetentionMs", readDuration),
  fieldReader("dead_retention", "deadRetention", "deadRetentionMs", readDuration),
  fieldReader("default_retry_policy", "defaultRetryPolicy", "defaultRetryPolicy", (value, path, around) =>
    readRetryPolicy(value, around.kind, path, around.violations),
  ),
  fieldReader("default_start_to_close_timeout", "defaultStartToCloseTimeout", "defaultStartToCloseMs", readDuration),
  fieldReader(
    "default_schedule_to_start_timeout",
    "defaultScheduleToStartTimeout",
    "defaultScheduleToStartMs",
    readDuration,
  ),
  fieldReader(
    "default_schedule_to_close_timeout",
    "defaultScheduleToCloseTimeout",
    "defaultScheduleToCloseMs",
    readDuration,
  ),
]);

/**
 * The fields of a configuration that a mask names, checked. An empty mask names those that are set. One that is named and
 * not set goes back to its default.
 */
export function readConfig(
  message: ConfigMessage | undefined,
  mask: readonly string[],
  kind: TaskQueueKind,
  violations: Violations,
): ReadConfig {
  const config = message ?? create(TaskQueueConfigSchema);
  const readers = new Set<FieldReader>();
  for (const [i, path] of mask.entries()) {
    const reader = fieldReaders.get(path);
    if (reader !== undefined) readers.add(reader);
    else violations.add("INVALID_FIELD", `update_mask.paths[${i}]`, unknownPath(path));
  }
  if (mask.length === 0) {
    for (const reader of fieldReaders.values()) if (reader.isSet(config)) readers.add(reader);
  }
  if (readers.size === 0 && violations.count === 0) {
    violations.add("INVALID_FIELD", "update_mask", "names no field, and config sets none; name what is to change");
  }
  const to: ConfigWithoutRevision = { fairnessKeys: new Map() };
  for (const reader of readers) reader.read(config, to, { kind, violations });
  return { fields: [...readers].map(({ field }) => field), to };
}

/** A configuration as a message; what is at its default is unset. */
export function toConfigMessage(config: TaskQueueConfig): ConfigMessage {
  const { ratePerSecond, burst, maxStarted, maxBacklog } = config;
  const message = create(TaskQueueConfigSchema, {
    revision: BigInt(config.revision),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    ...(burst !== undefined && { burst }),
    ...(maxStarted !== undefined && { maxStarted }),
    ...(maxBacklog !== undefined && { maxBacklog: BigInt(maxBacklog) }),
    ...durations(config),
  });
  // A key may be named like a property of every object.
  const keys = [...config.fairnessKeys].map(([key, record]) => [key, toFairnessKeyMessage(record)] as const);
  message.fairnessKeys = Object.fromEntries(keys);
  if (config.defaultFairnessKey !== undefined) {
    message.defaultFairnessKey = toFairnessKeyMessage(config.defaultFairnessKey);
  }
  if (config.defaultRetryPolicy !== undefined) {
    message.defaultRetryPolicy = toRetryPolicyMessage(config.defaultRetryPolicy);
  }
  return message;
}

function durations(config: TaskQueueConfig) {
  const { completedRetentionMs, deadRetentionMs, defaultStartToCloseMs } = config;
  const { defaultScheduleToStartMs, defaultScheduleToCloseMs } = config;
  return {
    ...(completedRetentionMs !== undefined && { completedRetention: toDuration(completedRetentionMs) }),
    ...(deadRetentionMs !== undefined && { deadRetention: toDuration(deadRetentionMs) }),
    ...(defaultStartToCloseMs !== undefined && { defaultStartToCloseTimeout: toDuration(defaultStartToCloseMs) }),
    ...(defaultScheduleToStartMs !== undefined && {
      defaultScheduleToStartTimeout: toDuration(defaultScheduleToStartMs),
    }),
    ...(defaultScheduleToCloseMs !== undefined && {
      defaultScheduleToCloseTimeout: toDuration(defaultScheduleToCloseMs),
    }),
  };
}

function unknownPath(path: string): string {
  if (path === "revision") return "is the server's own; expected_revision says which one is meant";
  const named = JSON.stringify(path.slice(0, bounds.nameBytes));
  return `is ${named}, and must be one of ${[...fieldReaders.keys()].join(", ")}`;
}

function readFairnessKeys(
  message: Readonly<Record<string, FairnessKeyConfig>>,
  path: string,
  violations: Violations,
): ReadonlyMap<string, FairnessKeyRecord> {
  const keys = new Map<string, FairnessKeyRecord>();
  const entries = Object.entries(message);
  if (!limitItems(entries.length, bounds.fairnessKeys, path, violations)) return keys;
  for (const [key, config] of entries) {
    const keyPath = `${path}[${JSON.stringify(key.slice(0, bounds.nameBytes))}]`;
    allowName(key, bounds.nameBytes, keyPath, violations);
    keys.set(key, readFairnessKey(config, keyPath, violations));
  }
  return keys;
}

function readFairnessKey(message: FairnessKeyConfig, path: string, violations: Violations): FairnessKeyRecord {
  const { ratePerSecond, burst, weight, maxStarted } = message;
  const record: Writable<FairnessKeyRecord> = {};
  if (ratePerSecond !== undefined) {
    record.ratePerSecond = limitRate(ratePerSecond, `${path}.rate_per_second`, violations);
  }
  if (burst !== undefined) record.burst = limitNumber(burst, `${path}.burst`, "", violations);
  if (weight !== undefined) record.weight = limitWeight(weight, `${path}.weight`, violations);
  if (maxStarted !== undefined) record.maxStarted = limitNumber(maxStarted, `${path}.max_started`, "", violations);
  return record;
}

function toFairnessKeyMessage(record: FairnessKeyRecord): FairnessKeyConfig {
  return create(FairnessKeyConfigSchema, record);
}
