/* What operators have set on each queue, as of each commit. */
import { taskQueueKey, type TaskQueue } from "@tq/matching-core";
import { noConfig, type FairnessKeyRecord, type Operation, type TaskQueueConfig } from "@tq/storage";
import { commitsOf, type CommitEntry, type History } from "../history.ts";
import { repeatedOperations } from "./repeats.ts";

/** How a queue is set. */
export interface QueueSetting {
  readonly config: TaskQueueConfig;
  /** Dispatch is off before then; undefined: it is on. */
  readonly pausedUntil: number | undefined;
  readonly isDraining: boolean;
}

const nothingSet: QueueSetting = { config: noConfig, pausedUntil: undefined, isDraining: false };

/** Says how a queue is set. */
export type SettingOf = (queue: TaskQueue) => QueueSetting;

/** Goes through the commits of a history, with how each queue was set as the commit claimed, and before it began. */
export function* settingsAt(
  history: History,
): Iterable<{ readonly commit: CommitEntry; readonly settingOf: SettingOf; readonly settingBefore: SettingOf }> {
  const repeated = repeatedOperations(history);
  let settings: ReadonlyMap<string, QueueSetting> = new Map();
  for (const commit of commitsOf(history)) {
    const before = settings;
    settings = after(commit, before, repeated);
    const now = settings;
    yield {
      commit,
      settingOf: (queue) => now.get(taskQueueKey(queue)) ?? nothingSet,
      settingBefore: (queue) => before.get(taskQueueKey(queue)) ?? nothingSet,
    };
  }
}

/** What one fairness key may use. */
export function limitsOfKey(config: TaskQueueConfig, key: string): FairnessKeyRecord {
  return config.fairnessKeys.get(key) ?? config.defaultFairnessKey ?? {};
}

function after(
  commit: CommitEntry,
  before: ReadonlyMap<string, QueueSetting>,
  repeated: ReadonlySet<Operation>,
): ReadonlyMap<string, QueueSetting> {
  const settings = new Map(before);
  commit.operations.forEach((operation, i) => {
    const result = commit.results[i];
    if (result === undefined || "refused" in result || !("queue" in operation) || repeated.has(operation)) return;
    const key = taskQueueKey(operation.queue);
    const setting = settings.get(key) ?? nothingSet;
    if (result.verb === "configure") settings.set(key, { ...setting, config: result.config });
    if (result.verb === "pause") settings.set(key, { ...setting, pausedUntil: result.pause.until ?? Infinity });
    if (result.verb === "resume") settings.set(key, { ...setting, pausedUntil: undefined, isDraining: false });
    if (result.verb === "drain") settings.set(key, { ...setting, isDraining: true });
    if (result.verb === "delete-queue" && !result.more) settings.delete(key);
  });
  return settings;
}
