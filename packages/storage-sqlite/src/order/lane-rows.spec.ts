import type { QueueState } from "../queues.ts";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, it } from "vitest";
import { prepareSchema } from "../schema.ts";
import { LaneRows, type LaneId, type LaneRow, type Run } from "./lane-rows.ts";
import { noLog, Writes } from "../journal/writes.ts";

const laneOf = (id: number): LaneId => ({ queue: { id } as QueueState, key: "k", priority: 3, type: "t" });
const lanes = [1, 2, 3].map(laneOf);

/** What is done to a lane: some are added in one transaction, or a stretch of it goes, or one comes back, or some are read. */
const step = fc.oneof(
  fc.record({
    add: fc.array(fc.record({ gap: fc.integer({ min: 1, max: 3 }), isPlain: fc.boolean() }), { maxLength: 12 }),
  }),
  fc.record({ from: fc.nat(60), count: fc.nat(12) }),
  fc.record({ back: fc.nat(60) }),
  fc.record({ behind: fc.nat(60), limit: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ upTo: fc.nat(60), further: fc.nat(9) }),
);
const steps = fc.array(
  fc.record({ on: fc.nat(2), does: step, isLookedAt: fc.boolean(), isSettled: fc.nat(9).map((of) => of === 0) }),
  { maxLength: 40 },
);

/** Few runs are let go of again and again; so many never are. */
const heldRuns = fc.constantFrom(3, 10, 8_192);

/** A lane, and the list that it should be. */
class Lane {
  readonly #id: LaneId;
  readonly #rows: LaneRows;
  #model: LaneRow[] = [];
  readonly #gone: LaneRow[] = [];
  #number = 1;
  #since = 1;

  constructor(id: LaneId, rows: LaneRows) {
    this.#id = id;
    this.#rows = rows;
  }

  does(one: typeof step extends fc.Arbitrary<infer Step> ? Step : never): void {
    const [rows, id, model] = [this.#rows, this.#id, this.#model];
    if ("behind" in one) {
      const place = model[one.behind]?.place ?? 0;
      const behind = model.filter((row) => row.place > place);
      expect(rows.behind(id, place, one.limit)).toEqual(behind.slice(0, one.limit));
    } else if ("upTo" in one) {
      // What was passed over stands behind what was taken last.
      const upTo = model[one.upTo]?.place ?? 0;
      expect(rows.remove(id, upTo + one.further, upTo)).toBe(0);
    } else if ("add" in one) {
      let tail: Run | undefined;
      this.#since += 1;
      for (const { gap, isPlain } of one.add) {
        this.#number += gap;
        const seq = isPlain ? this.#number : this.#number++;
        const row = { place: this.#number, seq, weight: 1, since: this.#since };
        tail = rows.push(id, row, tail);
        model.push(row);
      }
    } else if ("back" in one) {
      const [row] = this.#gone.splice(one.back % Math.max(this.#gone.length, 1), 1);
      if (row === undefined) return;
      rows.putInto(id, row);
      this.#model = [...model, row].sort((a, b) => a.place - b.place);
    } else {
      const taken = model.slice(one.from, one.from + one.count);
      const [first] = taken;
      const last = taken.at(-1);
      if (first === undefined || last === undefined) return;
      expect(rows.remove(id, first.place - 1, last.place)).toBe(taken.length);
      this.#model = model.filter((row) => !taken.includes(row));
      this.#gone.push(...taken);
    }
  }

  check(rows = this.#rows): void {
    const model = this.#model;
    expect(rows.behind(this.#id, 0, 1_000)).toEqual(model);
    const middle = model[model.length >> 1];
    if (middle === undefined) return;
    const behind = model.slice(model.length >> 1);
    expect(rows.behind(this.#id, middle.place - 1, 3)).toEqual(behind.slice(0, 3));
    expect(rows.behind(this.#id, middle.place, 1_000)).toEqual(behind.slice(1));
  }
}

it("is what sorted lists would be, in a few rows", () => {
  fc.assert(
    fc.property(steps, heldRuns, (all, most) => {
      const db = new Database(":memory:");
      prepareSchema(db, ":memory:", 0);
      const rows = new LaneRows(db, new Writes(db, noLog), most);
      const each = lanes.map((id) => new Lane(id, rows));
      for (const { on, does, isLookedAt, isSettled } of all) {
        each[on]?.does(does);
        // What is read of it all is remembered: so not each time.
        if (isLookedAt) each[on]?.check();
        if (isSettled) rows.settle();
        expect(rows.held).toBeLessThanOrEqual(most);
      }
      for (const lane of each) lane.check();
      rows.flush();
      rows.settle();
      for (const lane of each) lane.check(new LaneRows(db, new Writes(db, noLog)));
      rows.letGo();
      expect(rows.held).toBe(0);
      db.close();
    }),
    { numRuns: 500 },
  );
});

it("has nothing left of a run that was taken to its end part by part, where its last task comes back", () => {
  const db = new Database(":memory:");
  prepareSchema(db, ":memory:", 0);
  const rows = new LaneRows(db, new Writes(db, noLog));
  const lane = laneOf(1);
  let tail: Run | undefined;
  const all = [1, 2, 3, 4].map((place) => ({ place, seq: place, weight: 1, since: 7 }));
  for (const row of all) tail = rows.push(lane, row, tail);
  expect([rows.remove(lane, 0, 2), rows.remove(lane, 2, 4)]).toEqual([2, 2]);
  rows.putInto(lane, { place: 4, seq: 9, weight: 2, since: 8 });
  expect(rows.behind(lane, 0, 10)).toEqual([{ place: 4, seq: 9, weight: 2, since: 8 }]);
  rows.settle();
  expect(new LaneRows(db, new Writes(db, noLog)).behind(lane, 0, 10)).toEqual([
    { place: 4, seq: 9, weight: 2, since: 8 },
  ]);
  db.close();
});
