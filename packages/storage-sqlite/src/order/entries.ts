import { before, type Place } from "@tq/matching-core";

/** A binary heap of places: what comes first is on top. */
export class PlaceHeap<Entry extends Place> {
  readonly #entries: Entry[] = [];

  get top(): Entry | undefined {
    return this.#entries[0];
  }

  push(entry: Entry): void {
    const entries = this.#entries;
    let i = entries.length;
    entries.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = entries[parent];
      if (above === undefined || !before(entry, above)) break;
      entries[i] = above;
      i = parent;
    }
    entries[i] = entry;
  }

  /** Takes the top off. */
  pop(): void {
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(last);
  }

  /** The top's place has grown: moves it to where it belongs. */
  topMoved(): void {
    const top = this.#entries[0];
    if (top !== undefined) this.#sink(top);
  }

  /** Puts an entry in at the top and lets it sink. */
  #sink(entry: Entry): void {
    const entries = this.#entries;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      let least = entries[child];
      if (least === undefined) break;
      const right = entries[child + 1];
      if (right !== undefined && before(right, least)) {
        child += 1;
        least = right;
      }
      if (!before(least, entry)) break;
      entries[i] = least;
      i = child;
    }
    entries[i] = entry;
  }
}
