// What a worker holds, in memory that it shares with the thread that keeps its leases.
//
// The thread has to know of a lease before its handler begins, which may block the event loop for minutes; but it has nothing
// to do about it at once. So it is not told, which would take both threads more time than most handlers do: the
// worker writes down what it holds, and the thread reads that whenever it wakes: twice a second, before each of its calls, and as
// something that it knows of has been held for a while. Of what is over by then it never hears. Only for a lease that is held for a while it is woken, to hear
// of a cancel soon.

import { ChurnMap } from "@tq/client/internal";
import type { HeldLease, Holdings } from "./holdings.ts";
import { type Row, SharedPage } from "./shared-rows.ts";

/** What {@link SharedHoldings} needs. */
export interface SharedHoldingsOptions {
  /** Hands a new page over to the thread, before anything is put into it. */
  readonly addPage: (memory: SharedArrayBuffer) => void;
  /** Leases have begun: said before their handlers do. */
  readonly onBegun: () => void;
  /** Wakes the thread, so that it reads. */
  readonly wake: () => void;
  /** Calls back once, soon: {@link wakeAfterMs} from now. Answers how to take that back. */
  readonly soon: (callback: () => void) => () => void;
}

/** Leases that are held for so long are worth waking the thread. Twice that is well within the 50 ms in which a cancel is heard. */
export const wakeAfterMs = 20;

interface Place {
  readonly page: SharedPage;
  readonly row: number;
  /** Of a lease: its number among those that began between the same two timers, or none once that does not matter. */
  batch: number;
}

/** The worker's side. */
export class SharedHoldings implements Holdings {
  readonly #options: SharedHoldingsOptions;
  readonly #free: Place[] = [];
  readonly #leases = new ChurnMap<Place>();
  readonly #open = new ChurnMap<Place>();
  readonly #received = new ChurnMap<Place>();
  #stamp = 0;
  /** The batch that leases begin in now, and how many of it and of the one before are without an answer. */
  #batch = 0;
  #young = 0;
  #old = 0;
  #forgetTimer: (() => void) | undefined;

  constructor(options: SharedHoldingsOptions) {
    this.#options = options;
  }

  begun(leases: readonly HeldLease[], atMs: number): void {
    for (const { key, type } of leases) {
      this.#clear(this.#leases, key);
      const place = this.#put(this.#leases, { kind: "lease", key, type, atMs });
      place.batch = this.#batch;
      this.#young++;
    }
    this.#options.onBegun();
    this.#forgetTimer ??= this.#options.soon(() => this.#look());
  }

  answering(key: string): void {
    const place = this.#leases.get(key);
    if (place === undefined) return;
    place.page.markAnswering(place.row);
    this.#settled(place);
  }

  over(key: string): void {
    this.#clear(this.#leases, key);
  }

  polling(pollId: string): void {
    this.#put(this.#open, { kind: "open poll", key: pollId, type: "", atMs: 0 });
  }

  polled(pollId: string): void {
    this.#clear(this.#open, pollId);
  }

  received(pollId: string, atMs: number): void {
    this.#put(this.#received, { kind: "received poll", key: pollId, type: "", atMs });
  }

  confirmed(pollIds: readonly string[]): void {
    for (const pollId of pollIds) this.#clear(this.#received, pollId);
  }

  /** Wakes nobody any more. */
  stop(): void {
    this.#forgetTimer?.();
  }

  /** Wakes the thread if a lease has been held from one timer to the next, without an answer. */
  #look(): void {
    this.#forgetTimer = undefined;
    const wakes = this.#old > 0;
    // Once it is awake it reads them all.
    this.#old = wakes ? 0 : this.#young;
    this.#young = 0;
    // Those before are no longer counted.
    this.#batch += wakes ? 2 : 1;
    if (wakes) this.#options.wake();
    else if (this.#old > 0) this.#forgetTimer = this.#options.soon(() => this.#look());
  }

  #settled(place: Place): void {
    if (place.batch === this.#batch) this.#young--;
    else if (place.batch === this.#batch - 1) this.#old--;
    place.batch = Number.NaN;
  }

  #put(places: ChurnMap<Place>, row: Row): Place {
    const place = this.#takeFree(row);
    // Never zero, which says that there is nothing; and of 32 bits.
    this.#stamp = (this.#stamp + 1) | 0 || 1;
    place.page.put(place.row, this.#stamp, row);
    places.set(row.key, place);
    return place;
  }

  #clear(places: ChurnMap<Place>, key: string): void {
    const place = places.get(key);
    if (place === undefined) return;
    places.delete(key);
    this.#settled(place);
    place.page.clear(place.row);
    this.#free.push(place);
  }

  #takeFree(row: Row): Place {
    const last = this.#free.at(-1);
    // No character takes more than three bytes.
    if (last !== undefined && 3 * (row.key.length + row.type.length) <= last.page.textBytes) {
      this.#free.pop();
      return last;
    }
    const bytes = SharedPage.bytesOf(row);
    const index = this.#free.findLastIndex(({ page }) => page.textBytes >= bytes);
    const [found] = index === -1 ? [] : this.#free.splice(index, 1);
    return found ?? this.#newPage(bytes);
  }

  /** One row of a new page; the others are free. */
  #newPage(bytes: number): Place {
    const page = SharedPage.withRoomFor(bytes);
    this.#options.addPage(page.memory);
    for (let row = page.rows - 1; row > 0; row--) this.#free.push({ page, row, batch: Number.NaN });
    return { page, row: 0, batch: Number.NaN };
  }
}

/** What the thread has read of a row. */
interface ReadRow {
  readonly stamp: number;
  readonly row: Row;
  isAnswering: boolean;
}

/** The thread's side: passes on what has changed between two looks. */
export class HoldingsReader {
  readonly #to: Holdings;
  readonly #pages: { readonly page: SharedPage; readonly read: (ReadRow | undefined)[] }[] = [];

  constructor(to: Holdings) {
    this.#to = to;
  }

  addPage(memory: SharedArrayBuffer): void {
    const page = new SharedPage(memory);
    this.#pages.push({ page, read: Array.from({ length: page.rows }, () => undefined) });
  }

  /** Reads everything. */
  look(): void {
    const begun: Row[] = [];
    const received: Row[] = [];
    for (const { page, read } of this.#pages) {
      for (let row = 0; row < page.rows; row++) {
        const stamp = page.stampOf(row);
        const before = read[row];
        if (before !== undefined && before.stamp !== stamp) {
          this.#gone(before.row);
          read[row] = undefined;
        }
        if (stamp === 0) continue;
        if (read[row] === undefined) {
          const now = page.read(row, stamp);
          if (now === undefined) continue;
          read[row] = { stamp, row: now, isAnswering: false };
          if (now.kind === "open poll") this.#to.polling(now.key);
          else (now.kind === "lease" ? begun : received).push(now);
        }
      }
    }
    // In another place the same lease, or poll, may have been before: what is gone comes first.
    for (const { key, type, atMs } of begun) this.#to.begun([{ key, type }], atMs);
    for (const { key, atMs } of received.toSorted((one, other) => one.atMs - other.atMs)) this.#to.received(key, atMs);
    this.#lookForAnswers();
  }

  #lookForAnswers(): void {
    for (const { page, read } of this.#pages) {
      for (const [row, known] of read.entries()) {
        if (known === undefined || known.isAnswering || known.row.kind !== "lease" || !page.isAnswering(row)) continue;
        // Else it may be what came after it that is being answered.
        if (page.stampOf(row) !== known.stamp) continue;
        known.isAnswering = true;
        this.#to.answering(known.row.key);
      }
    }
  }

  #gone({ kind, key }: Row): void {
    switch (kind) {
      case "lease":
        this.#to.over(key);
        return;
      case "open poll":
        this.#to.polled(key);
        return;
      case "received poll":
        this.#to.confirmed([key]);
    }
  }
}
