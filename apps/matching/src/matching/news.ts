/*
 * News for workers: a cancel request, a lease that was taken, a drain. A worker that holds RenewLeases open is told at
 * once. What the news is, the worker reads from the answer to its renewal; here is only that there is some.
 */

/** Called once: whether there is news, or the server is stopping and none will come. */
type Told = (thereIsNews: boolean) => void;

/** Which news each worker has been told of, and who waits for more. */
export class News {
  readonly #instanceId: string;
  readonly #revisions = new Map<string, number>();
  readonly #held = new Map<string, Set<Told>>();

  /** @param instanceId of this run of the server: what an earlier run told a worker counts as unknown */
  constructor(instanceId: string) {
    this.#instanceId = instanceId;
  }

  /** Names the news that there is for a worker up to now. */
  cursor(workerKey: string): string {
    return `${this.#instanceId}/${this.#revisions.get(workerKey) ?? 0}`;
  }

  /** There is news for a worker: whoever waits for it is called. */
  publish(workerKey: string): void {
    this.#revisions.set(workerKey, (this.#revisions.get(workerKey) ?? 0) + 1);
    this.#tell(workerKey, true);
  }

  /** Calls back once, with the next news or the end. Answers how to stop waiting. */
  hold(workerKey: string, callback: Told): () => void {
    let held = this.#held.get(workerKey);
    if (held === undefined) this.#held.set(workerKey, (held = new Set()));
    held.add(callback);
    return () => {
      held.delete(callback);
      if (held.size === 0 && this.#held.get(workerKey) === held) this.#held.delete(workerKey);
    };
  }

  /** No more news will come: the server is stopping. */
  end(): void {
    for (const workerKey of this.#held.keys()) this.#tell(workerKey, false);
  }

  /** The worker is gone. */
  forget(workerKey: string): void {
    if (!this.#held.has(workerKey)) this.#revisions.delete(workerKey);
  }

  #tell(workerKey: string, thereIsNews: boolean): void {
    const held = this.#held.get(workerKey);
    this.#held.delete(workerKey);
    for (const callback of held ?? []) callback(thereIsNews);
  }
}
