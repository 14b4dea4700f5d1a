import type { PauseRecord, TaskQueueConfig } from "@tq/storage";

/** Whether anything is set. */
export function isSet(config: TaskQueueConfig): boolean {
  const { revision: _, fairnessKeys, ...rest } = config;
  return fairnessKeys.size > 0 || Object.keys(rest).length > 0;
}

/** Whether dispatch is off. A pause whose time is over stays there until it is seen to. */
export function isPaused(pause: PauseRecord | undefined, now: number): boolean {
  return pause !== undefined && (pause.until === undefined || pause.until > now);
}

/** Of each config, which never changes, the column: a queue's row is written with each commit that moves it. */
const columns = new WeakMap<TaskQueueConfig, string | null>();

/** The config column; null if nothing is set. */
export function writeConfig(config: TaskQueueConfig): string | null {
  let column = columns.get(config);
  if (column === undefined) columns.set(config, (column = columnOf(config)));
  return column;
}

function columnOf(config: TaskQueueConfig): string | null {
  if (!isSet(config)) return null;
  const { revision: _, fairnessKeys, ...rest } = config;
  return JSON.stringify({ ...rest, fairnessKeys: [...fairnessKeys] });
}

/** Reads the config column. */
export function readConfig(revision: number, column: string | null): TaskQueueConfig {
  if (column === null) return { revision, fairnessKeys: new Map() };
  const { fairnessKeys, ...rest } = JSON.parse(column) as Omit<TaskQueueConfig, "fairnessKeys" | "revision"> & {
    fairnessKeys: [string, object][];
  };
  return { revision, ...rest, fairnessKeys: new Map(fairnessKeys) };
}
