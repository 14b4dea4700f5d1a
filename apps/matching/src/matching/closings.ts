import type { ClosedNotice } from "@tq/storage";

/** Who waits for which tasks to close. */
export class Closings {
  readonly #watchers = new Map<string, Set<Watch>>();

  /** Begins to watch these ids. Stop it, or it stays. */
  watch(namespace: string, ids: readonly string[]): Watch {
    const watch = new Watch(() => {
      for (const id of ids) {
        const key = taskKey(namespace, id);
        const watchers = this.#watchers.get(key);
        watchers?.delete(watch);
        if (watchers?.size === 0) this.#watchers.delete(key);
      }
    });
    for (const id of ids) {
      const key = taskKey(namespace, id);
      const watchers = this.#watchers.get(key);
      if (watchers === undefined) this.#watchers.set(key, new Set([watch]));
      else watchers.add(watch);
    }
    return watch;
  }

  /** Whether somebody watches one of these. */
  isAwaited(closed: readonly ClosedNotice[]): boolean {
    return this.#watchers.size > 0 && closed.some(({ namespace, id }) => this.#watchers.has(taskKey(namespace, id)));
  }

  /** These have closed. */
  publish(closed: readonly ClosedNotice[]): void {
    if (this.#watchers.size === 0) return;
    for (const notice of closed) {
      for (const watch of this.#watchers.get(taskKey(notice.namespace, notice.id)) ?? []) watch.note(notice);
    }
  }

  /** Nothing more will come: the server is stopping. */
  wakeAll(): void {
    for (const watchers of this.#watchers.values()) for (const watch of watchers) watch.wake();
  }
}

/** What has closed since the watch began. */
export class Watch {
  readonly closed = new Map<string, ClosedNotice>();
  readonly stop: () => void;
  #wake: (() => void) | undefined;

  constructor(stop: () => void) {
    this.stop = stop;
  }

  note(notice: ClosedNotice): void {
    this.closed.set(notice.id, notice);
    this.wake();
  }

  /** Resolves when something closes, or the watch is woken. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function taskKey(namespace: string, id: string): string {
  return `${namespace}\u0000${id}`;
}
