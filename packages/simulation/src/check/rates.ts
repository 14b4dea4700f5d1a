/*
 * Over any window, a restart or a crash included, a queue or a fairness key never dispatches more than rate × window +
 * burst. Where an operator changes the rate, windows begin anew.
 */
import { defaultBurst, taskQueueKey } from "@tq/matching-core";
import type { LimitsRecord } from "@tq/storage";
import { queueName, type History } from "../history.ts";
import { limitsOfKey, settingsAt } from "./configurations.ts";

/** Dispatches under one rate, from when it was set. */
class Window {
  readonly rate: number;
  readonly burst: number;
  #dispatches = 0;
  /** Over all dispatches so far, the least of: how many came before it, less how many the rate allows until it. */
  #lowest = Infinity;

  constructor(rate: number, burst: number) {
    this.rate = rate;
    this.burst = burst;
  }

  /** Takes a dispatch in. Answers whether there is a window that ends with it and has too many. */
  dispatch(now: number): boolean {
    const allowed = (this.rate * now) / 1_000;
    this.#lowest = Math.min(this.#lowest, this.#dispatches - allowed);
    this.#dispatches += 1;
    // Times are large numbers: what is left of them is exact to far less than one dispatch.
    return this.#dispatches - allowed - this.#lowest > this.burst + 1e-6;
  }
}

/** Finds windows with too many dispatches. */
export function rates(history: History): string[] {
  const wrong: string[] = [];
  const windows = new Map<string, Window>();
  const begin = [...settingsAt(history)][0]?.commit.now ?? 0;
  for (const { commit, settingOf } of settingsAt(history)) {
    const now = commit.now - begin;
    for (const { task, askedRate } of commit.grants) {
      const { config } = settingOf(task.queue);
      const { burst, ratePerSecond = askedRate } = config;
      const queue = taskQueueKey(task.queue);
      const limits = [
        {
          name: queueName(task.queue),
          id: queue,
          limit: { ...(burst && { burst }), ...(ratePerSecond && { ratePerSecond }) },
        },
        {
          name: `the key "${task.fairnessKey}" of ${queueName(task.queue)}`,
          id: `${queue} ${task.fairnessKey}`,
          limit: limitsOfKey(config, task.fairnessKey),
        },
      ];
      for (const { name, id, limit } of limits) {
        const window = windowOf(windows, id, limit);
        if (window?.dispatch(now) === true) {
          wrong.push(`${name} dispatched more than ${window.rate}/s and ${window.burst} at once, until ${commit.now}`);
        }
      }
    }
  }
  return wrong;
}

/** The window in which a queue or key is; a new one if its rate has changed. */
function windowOf(windows: Map<string, Window>, id: string, limit: LimitsRecord): Window | undefined {
  const { ratePerSecond: rate } = limit;
  if (rate === undefined) {
    windows.delete(id);
    return undefined;
  }
  const burst = limit.burst ?? defaultBurst(rate);
  const window = windows.get(id);
  if (window?.rate === rate && window.burst === burst) return window;
  const begun = new Window(rate, burst);
  windows.set(id, begun);
  return begun;
}
