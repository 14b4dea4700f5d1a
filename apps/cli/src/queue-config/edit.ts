import { clearField, clone, create, type DescMessage, equals, type MessageShape } from "@bufbuild/protobuf";
import {
  type FairnessKeyConfig,
  FairnessKeyConfigSchema,
  type RetryPolicy,
  RetryPolicySchema,
  type TaskQueueConfig,
  TaskQueueConfigSchema,
} from "@tq/proto";
import { keySettings, queueSettings, retrySettings, type Setting, type SettingValue } from "./settings.ts";
import type { ConfigTarget } from "./target.ts";

/** A configuration as it is to be, and the fields of it that change. */
export interface ConfigChange {
  readonly config: TaskQueueConfig;
  /** Paths of a field mask. */
  readonly paths: readonly string[];
}

/** Changes a configuration that was read; undefined if there is nothing to change. It may run again on a later one. */
export type ConfigEdit = (current: TaskQueueConfig) => ConfigChange | undefined;

/** Values by the names of their settings. */
export type SettingValues = Readonly<Record<string, SettingValue>>;

/** Fields of a queue to unset that stand for several settings at once. */
export const groupNames = { retries: "defaultRetryPolicy", keys: "fairnessKeys" } as const;

/** Sets some values, and leaves all others as they are. */
export function setEdit(target: ConfigTarget, values: SettingValues): ConfigEdit {
  return editing(target, {
    queue: (config) => assign(config, queueSettings, values),
    retries: (policy) => void assign(policy, retrySettings, values),
    key: (key) => void assign(key, keySettings, values),
    changesRetries: retrySettings.some(({ name }) => name in values),
    addsKey: true,
  });
}

/** Puts the settings of these names back to their defaults; of a fairness key, all of them if no name is given. */
export function unsetEdit(target: ConfigTarget, names: readonly string[]): ConfigEdit {
  const isNamed = ({ name }: { readonly name: string }) => names.includes(name);
  if (target.of !== "queue" && names.length === 0) return removingKey(target);
  return editing(target, {
    queue: (config) => {
      const groups = Object.entries(groupNames).flatMap(([name, field]) => (names.includes(name) ? [field] : []));
      const fields = [...queueSettings.filter(isNamed).map(({ field }) => field), ...groups];
      clear(TaskQueueConfigSchema, config, fields);
      return fields;
    },
    retries: (policy) => clear(RetryPolicySchema, policy, fieldsOf(retrySettings.filter(isNamed))),
    key: (key) => clear(FairnessKeyConfigSchema, key, fieldsOf(keySettings.filter(isNamed))),
    changesRetries: retrySettings.some(isNamed) && !names.includes("retries"),
    addsKey: false,
  });
}

/** How an edit goes about each part of a configuration. */
interface Parts {
  /** Changes the queue's own settings, and answers which. */
  queue(this: void, config: TaskQueueConfig): readonly (keyof TaskQueueConfig)[];
  retries(this: void, policy: RetryPolicy): void;
  key(this: void, key: FairnessKeyConfig): void;
  readonly changesRetries: boolean;
  /** Whether a fairness key that is not listed is to be. */
  readonly addsKey: boolean;
}

function editing(target: ConfigTarget, parts: Parts): ConfigEdit {
  return (current) => {
    const config = clone(TaskQueueConfigSchema, current);
    switch (target.of) {
      case "queue": {
        const fields = parts.queue(config);
        if (!parts.changesRetries) return changeOf(config, fields);
        const policy = config.defaultRetryPolicy ?? create(RetryPolicySchema);
        parts.retries(policy);
        replaceOrClear(config, "defaultRetryPolicy", RetryPolicySchema, policy);
        return changeOf(config, [...fields, "defaultRetryPolicy"]);
      }
      case "key": {
        const listed = Object.hasOwn(config.fairnessKeys, target.key) ? config.fairnessKeys[target.key] : undefined;
        if (listed === undefined && !parts.addsKey) return undefined;
        const key = listed ?? create(FairnessKeyConfigSchema);
        parts.key(key);
        // A key without any limit stays listed: the default key's do not hold for it. It may be named "__proto__".
        config.fairnessKeys = Object.fromEntries([...Object.entries(config.fairnessKeys), [target.key, key]]);
        return changeOf(config, ["fairnessKeys"]);
      }
      case "default-key": {
        if (config.defaultFairnessKey === undefined && !parts.addsKey) return undefined;
        const key = config.defaultFairnessKey ?? create(FairnessKeyConfigSchema);
        parts.key(key);
        replaceOrClear(config, "defaultFairnessKey", FairnessKeyConfigSchema, key);
        return changeOf(config, ["defaultFairnessKey"]);
      }
    }
  };
}

function removingKey(target: Exclude<ConfigTarget, { of: "queue" }>): ConfigEdit {
  return (current) => {
    const config = clone(TaskQueueConfigSchema, current);
    if (target.of === "default-key") {
      if (config.defaultFairnessKey === undefined) return undefined;
      delete config.defaultFairnessKey;
      return changeOf(config, ["defaultFairnessKey"]);
    }
    if (!Object.hasOwn(config.fairnessKeys, target.key)) return undefined;
    const rest = Object.entries(config.fairnessKeys).filter(([key]) => key !== target.key);
    config.fairnessKeys = Object.fromEntries(rest);
    return changeOf(config, ["fairnessKeys"]);
  };
}

function changeOf(config: TaskQueueConfig, fields: readonly (keyof TaskQueueConfig)[]): ConfigChange {
  const { field: descriptors } = TaskQueueConfigSchema;
  return { config, paths: fields.map((field) => descriptors[field as keyof typeof descriptors].name) };
}

/** Puts the values that there are into their fields; answers which. */
function assign<Of extends object>(
  message: Of,
  settings: readonly Setting<Of>[],
  values: SettingValues,
): (keyof Of & string)[] {
  const given = settings.filter(({ name }) => name in values);
  Object.assign(message, Object.fromEntries(given.map(({ name, field }) => [field, values[name]])));
  return fieldsOf(given);
}

function clear<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  fields: readonly (keyof MessageShape<Desc> & string)[],
): void {
  for (const descriptor of schema.fields) {
    if (fields.some((field) => field === descriptor.localName)) clearField(message, descriptor);
  }
}

function fieldsOf<Of>(settings: readonly Setting<Of>[]): (keyof Of & string)[] {
  return settings.map(({ field }) => field);
}

/** Sets a part; one in which nothing is set any more goes. */
function replaceOrClear<Field extends "defaultRetryPolicy" | "defaultFairnessKey", Desc extends DescMessage>(
  config: TaskQueueConfig,
  field: Field,
  schema: Desc,
  part: MessageShape<Desc> & TaskQueueConfig[Field],
): void {
  if (equals(schema, part, create(schema))) delete config[field];
  else config[field] = part;
}
