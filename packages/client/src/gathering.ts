/** What a {@link Gathering} needs. */
export interface GatheringOptions<Item, Answer> {
  /** Makes one call with these, as often as that makes sense; its answers are in their order. */
  readonly call: (items: readonly Item[]) => Promise<readonly Answer[]>;
  /** Most of them in a call. */
  readonly maxItems: number;
  /** Most bytes in a call; one that is larger goes alone. */
  readonly maxBytes: number;
  readonly bytesOf: (item: Item) => number;
}

interface Waiting<Item, Answer> extends Pick<PromiseWithResolvers<Answer>, "resolve" | "reject"> {
  readonly item: Item;
}

/**
 * Makes one call of what several callers want: of what they ask for in one turn, and of what comes while a call is under way.
 * Should a call be refused as a whole, each goes by itself, so that nobody fails for what is wrong with another one's.
 */
export class Gathering<Item, Answer> {
  readonly #options: GatheringOptions<Item, Answer>;
  #waiting: Waiting<Item, Answer>[] = [];
  #isCalling = false;

  constructor(options: GatheringOptions<Item, Answer>) {
    this.#options = options;
  }

  /** The answer for one of them. Rejects with the signal's reason once that aborts; what was sent may have its effect all the same. */
  async add(item: Item, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const waiting: Waiting<Item, Answer> = { item, resolve, reject };
    const onAbort = () => {
      this.#waiting = this.#waiting.filter((each) => each !== waiting);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.push(waiting);
    queueMicrotask(() => void this.#run());
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isCalling) return;
    this.#isCalling = true;
    while (this.#waiting.length > 0) await this.#send(this.#take());
    this.#isCalling = false;
  }

  #take(): readonly Waiting<Item, Answer>[] {
    const { maxItems, maxBytes, bytesOf } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const { item } of this.#waiting) {
      bytes += bytesOf(item);
      if (count === maxItems || (count > 0 && bytes > maxBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #send(all: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await this.#options.call(all.map(({ item }) => item));
      for (const [index, { resolve, reject }] of all.entries()) {
        if (index < answers.length) resolve(answers[index] as Answer);
        else reject(new Error(`${answers.length} answers came for ${all.length}`));
      }
    } catch (error) {
      if (all.length === 1) all[0]?.reject(error);
      else for (const one of all) await this.#send([one]);
    }
  }
}
