/** Who else is to know which polls are open, and what is to be confirmed. */
export interface ConfirmationsWatcher {
  polling(pollId: string): void;
  polled(pollId: string): void;
  received(pollId: string, atMs: number): void;
  confirmed(pollIds: readonly string[]): void;
}

/**
 * Polls that are open; and those whose answers have arrived, until the server has been told so: it takes tasks back that are not mentioned within
 * a few seconds (`confirm_within`). Every call carries all that wait here; they leave once such a call was answered.
 */
export class Confirmations {
  /** When each poll's answer arrived, in milliseconds; in order of arrival. */
  readonly #arrivals = new Map<string, number>();
  readonly #open = new Set<string>();
  readonly #onFirst: (() => void)[] = [];
  readonly #watcher: ConfirmationsWatcher | undefined;

  constructor(watcher?: ConfirmationsWatcher) {
    this.#watcher = watcher;
  }

  /** A poll is made. */
  polling(pollId: string): void {
    this.#open.add(pollId);
    this.#watcher?.polling(pollId);
  }

  /** It was answered, or is given up. */
  polled(pollId: string): void {
    this.#open.delete(pollId);
    this.#watcher?.polled(pollId);
  }

  /** Polls that are open. */
  open(): string[] {
    return [...this.#open];
  }

  /** An answer with tasks has arrived. */
  add(pollId: string, nowMs: number): void {
    this.#arrivals.set(pollId, nowMs);
    this.#watcher?.received(pollId, nowMs);
    if (this.#arrivals.size === 1) for (const listener of this.#onFirst) listener();
  }

  /** Called each time there is something to confirm after there was nothing. */
  onFirst(listener: () => void): void {
    this.#onFirst.push(listener);
  }

  /** The ids for a call to carry. */
  ids(): string[] {
    return [...this.#arrivals.keys()];
  }

  /** A call that carried these was answered. */
  confirmed(ids: readonly string[]): void {
    const confirmed = ids.filter((id) => this.#arrivals.delete(id));
    if (confirmed.length > 0) this.#watcher?.confirmed(confirmed);
  }

  /** When the oldest that waits arrived. */
  get oldestMs(): number | undefined {
    for (const arrivedMs of this.#arrivals.values()) return arrivedMs;
    return undefined;
  }
}
