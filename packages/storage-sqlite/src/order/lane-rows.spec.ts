import type { QueueState } from "../queues.ts";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, it } from "vitest";
import { prepareSchema } from "../schema.ts";
import { LaneRows, type LaneRow, type Run } from "./lane-rows.ts";
import { noLog, Writes } from "../journal/writes.ts";

const lane = { queue: { id: 1 } as QueueState, key: "k", priority: 3, type: "t" } as const;

/** What is done to a lane: some are added in one transaction, or a stretch of it goes, or one comes back, or some are read. */
const step = fc.oneof(
  fc.record({
    add: fc.array(fc.record({ gap: fc.integer({ min: 1, max: 3 }), isPlain: fc.boolean() }), { maxLength: 12 }),
  }),
  fc.record({ from: fc.nat(60), count: fc.nat(12) }),
  fc.record({ back: fc.nat(60) }),
  fc.record({ behind: fc.nat(60), limit: fc.integer({ min: 1, max: 20 }) }),
);
const steps = fc.array(fc.record({ does: step, isLookedAt: fc.boolean() }), { maxLength: 25 });

it("is what a sorted list would be, in a few rows", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const db = new Database(":memory:");
      prepareSchema(db, ":memory:", 0);
      const rows = new LaneRows(db, new Writes(db, noLog));
      let model: LaneRow[] = [];
      const gone: LaneRow[] = [];
      let [number, since] = [1, 1];
      const check = (): void => {
        expect(rows.behind(lane, 0, 1_000)).toEqual(model);
        const middle = model[model.length >> 1];
        if (middle === undefined) return;
        const behind = model.slice(model.length >> 1);
        expect(rows.behind(lane, middle.place - 1, 3)).toEqual(behind.slice(0, 3));
        expect(rows.behind(lane, middle.place, 1_000)).toEqual(behind.slice(1));
      };
      for (const { does: one, isLookedAt } of all) {
        if ("behind" in one) {
          const place = model[one.behind]?.place ?? 0;
          const behind = model.filter((row) => row.place > place);
          expect(rows.behind(lane, place, one.limit)).toEqual(behind.slice(0, one.limit));
        } else if ("add" in one) {
          let tail: Run | undefined;
          since += 1;
          for (const { gap, isPlain } of one.add) {
            number += gap;
            const seq = isPlain ? number : number++;
            const row = { place: number, seq, weight: 1, since };
            tail = rows.push(lane, row, tail);
            model.push(row);
          }
        } else if ("back" in one) {
          const [row] = gone.splice(one.back % Math.max(gone.length, 1), 1);
          if (row === undefined) continue;
          rows.putInto(lane, row);
          model = [...model, row].sort((a, b) => a.place - b.place);
        } else {
          const taken = model.slice(one.from, one.from + one.count);
          const [first] = taken;
          const last = taken.at(-1);
          if (first === undefined || last === undefined) continue;
          expect(rows.remove(lane, first.place - 1, last.place)).toBe(taken.length);
          model = model.filter((row) => !taken.includes(row));
          gone.push(...taken);
        }
        // What is read of it all is remembered: so not each time.
        if (isLookedAt) check();
      }
      check();
      rows.flush();
      const fromFile = new LaneRows(db, new Writes(db, noLog));
      expect(fromFile.behind(lane, 0, 1_000)).toEqual(model);
      db.close();
    }),
    { numRuns: 500 },
  );
});
