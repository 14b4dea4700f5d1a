import { invalidField, type KnownOptions, refuseUnknownOptions, shown } from "@tq/client/internal";

/** What bounds a {@link HandlerCache}. */
export interface HandlerCacheOptions {
  /** Keys that something is kept for at most; 0 keeps nothing. */
  readonly maxEntries: number;
  /** What all that is kept may weigh together; infinite: the number of entries alone counts. */
  readonly maxBytes: number;
  /** About how many bytes a value takes. */
  readonly weigh: (value: unknown) => number;
}

const cacheOptions: KnownOptions<HandlerCacheOptions> = { maxEntries: true, maxBytes: true, weigh: true };

/** What a cache came to. */
export interface CacheStatus {
  /** Serial keys that something is kept for. */
  readonly entries: number;
  /** What they weigh together. */
  readonly bytes: number;
  /** How often somebody asked and found something; of a task's handler the first time counts. */
  readonly hits: number;
  /** How often somebody asked and found nothing. */
  readonly misses: number;
  /** Entries that had to make room. */
  readonly evictions: number;
}

/** The part of the cache that belongs to the serial key of one task. */
export interface TaskCache {
  /**
   * What was kept for this serial key, by the handler of an earlier task; `undefined` if there is nothing. Other workers may
   * have handled tasks of the key since, so keep with it how far it goes, and compare.
   */
  get<T = unknown>(): T | undefined;
  /**
   * Keeps a value for this serial key, until it has to make room for others, this task's attempt fails, or the worker stops.
   * One that is larger than the whole cache is not kept.
   *
   * @throws TqError `invalid_argument` if the task has no serial key
   */
  set(value: unknown): void;
  /** Keeps nothing for this serial key any more. */
  delete(): void;
}

interface Entry {
  readonly value: unknown;
  readonly bytes: number;
}

/** What is kept for keys: the least recently used goes first, by count and by bytes. A worker has one; an engine may. */
export class HandlerCache {
  readonly #options: HandlerCacheOptions;
  /** In order of use, the least recent first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** @throws TqError `invalid_argument` naming an option that is wrong. */
  constructor(options: HandlerCacheOptions) {
    refuseUnknownOptions(options, cacheOptions);
    for (const name of ["maxEntries", "maxBytes"] as const)
      if (!(options[name] >= 0)) throw invalidField(name, `${shown(options[name])} is no number from 0`);
    if (typeof options.weigh !== "function") throw invalidField("weigh", `${shown(options.weigh)} is no function`);
    this.#options = options;
  }

  /** What it came to so far. */
  get status(): CacheStatus {
    const entries = this.#entries.size;
    return { entries, bytes: this.#bytes, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  /** What is kept for a key, which counts as a use; `undefined` if there is nothing. */
  get(key: string): unknown {
    const value = this.#find(key);
    this.#count(value !== undefined);
    return value;
  }

  /** Keeps a value for a key, and drops what has to make room. */
  set(key: string, value: unknown): void {
    const { maxEntries, maxBytes, weigh } = this.#options;
    const bytes = weigh(value);
    this.delete(key);
    if (!(bytes <= maxBytes)) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries && this.#bytes <= maxBytes) break;
      this.delete(oldest);
      this.#evictions++;
    }
  }

  /** Keeps nothing for a key any more. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  /** Drops everything. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /** The cache as the handler of a task with this serial key sees it. */
  ofTask(serialKey: string): TaskCache {
    let isCounted = false;
    return {
      get: <T>() => {
        const value = serialKey === "" ? undefined : this.#find(serialKey);
        if (!isCounted) this.#count(value !== undefined);
        isCounted = true;
        // What was kept is between the handlers of one key.
        return value as T | undefined;
      },
      set: (value) => {
        if (serialKey === "") throw invalidField("serialKey", "a task without one has nothing to keep a value for");
        this.set(serialKey, value);
      },
      delete: () => this.delete(serialKey),
    };
  }

  #find(key: string): unknown {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  #count(isHit: boolean): void {
    if (isHit) this.#hits++;
    else this.#misses++;
  }
}
