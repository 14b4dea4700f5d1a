/*
 * News for workers: a cancel request, a lease that was taken, a drain. A worker that holds RenewLeases open is told at
 * once. What the news is, the worker reads from the answer to its renewal; here is only that there is some.
 */

/** Called once: whether there is news, or the server is stopping and none will come. */
type Told = (thereIsNews: boolean) => void;

/** Which news each worker has been told of, and who waits for more. */
export class News {
  readonly #instanceId: string;
  /** By worker: the number of its last news. One counter for all, so that a number never comes twice. */
  readonly #revisions = new Map<string, number>();
  readonly #held = new Map<string, Set<Told>>();
  #last = 0;
  #ended = false;

  /** @param instanceId of this run of the server: what an earlier run told a worker counts as unknown */
  constructor(instanceId: string) {
    this.#instanceId = instanceId;
  }

  /** Names the news that there is for a worker up to now. */
  cursor(workerKey: string): string {
    let revision = this.#revisions.get(workerKey);
    // One that is new, or was forgotten and comes back: whatever it has seen, this is another number.
    if (revision === undefined) this.#revisions.set(workerKey, (revision = ++this.#last));
    return `${this.#instanceId}/${revision}`;
  }

  /** There is news for a worker: whoever waits for it is called. Forget the worker when it is gone. */
  publish(workerKey: string): void {
    this.#revisions.set(workerKey, ++this.#last);
    this.#tell(workerKey, true);
  }

  /** Calls back once, with the next news or the end. Answers how to stop waiting. */
  hold(workerKey: string, callback: Told): () => void {
    if (this.#ended) {
      callback(false);
      return () => undefined;
    }
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
    this.#ended = true;
    for (const workerKey of this.#held.keys()) this.#tell(workerKey, false);
  }

  /** The worker is gone. */
  forget(workerKey: string): void {
    this.#revisions.delete(workerKey);
  }

  #tell(workerKey: string, thereIsNews: boolean): void {
    const held = this.#held.get(workerKey);
    this.#held.delete(workerKey);
    for (const callback of held ?? []) callback(thereIsNews);
  }
}
