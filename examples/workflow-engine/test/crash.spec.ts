import { appendFile, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeFrames, encodeFrame } from "../src/frames.ts";
import { Histories } from "../src/histories.ts";
import type { HistoryRecord } from "../src/history.ts";
import { Log, readLog } from "../src/log.ts";
import { EngineRig } from "./engine-rig.ts";
import { endsOf, sampleOrder, workflows } from "./shop.ts";

/** The machine dies as it writes a frame: this is what the engine's process gets to see of that. */
class Died extends Error {}

let rig: EngineRig;
beforeEach(async () => {
  rig = await EngineRig.create();
});
afterEach(() => rig.close());

/**
 * The engine dies as it writes frame number `frame`, with a share of it on disk, and nothing that it says afterwards reaches
 * the server. Then another one takes its file. Answers whether the log got that far.
 */
async function dieAt(frame: number, share: number, numbers: readonly number[]): Promise<boolean> {
  let frames = 0;
  const append = vi.spyOn(Log.prototype, "append").mockImplementation(async (records) => {
    if (records.length === 0) return;
    if (++frames > frame) throw new Died();
    const text = Buffer.from(encodeFrame(records));
    await appendFile(rig.file, frames < frame ? text : text.subarray(0, Math.ceil(text.length * share)));
    if (frames < frame) return;
    rig.env.faults.stallWorker();
    throw new Died();
  });
  // One task at a time: as many frames as there are events.
  const engine = await rig.startEngine({ maxTasks: 1 });
  await rig.startOrders(numbers);
  const shop = await rig.openShop();
  for (let second = 0; second < 60 && frames < frame && rig.ended.length < numbers.length; second++) {
    await rig.env.sleep("1s");
  }
  append.mockRestore();
  if (frames < frame) return false;
  await expect(rig.env.skipUntil(engine.ended())).rejects.toThrow(Died);
  await rig.stop(engine);
  rig.env.faults.clear();
  expect(shop.getState()).toBe("RUNNING");
  await rig.startEngine();
  return true;
}

async function expectAllDone(numbers: readonly number[]): Promise<void> {
  await rig.untilEnded(numbers.length - endsOf((await readLog(rig.file)).records).length + rig.ended.length);
  const ends = endsOf((await readLog(rig.file)).records).toSorted((a, b) => a.workflow.localeCompare(b.workflow));
  expect(ends).toEqual(numbers.map(sampleOrder).map(({ id, receipt }) => ({ workflow: id, result: receipt })));
  await rig.env.sleep("1 minute");
  expect(await rig.openIds()).toEqual([]);
  // Nobody was charged twice: whatever was asked for again was known by its id.
  expect(new Set(rig.done).size).toBe(rig.done.length);
}

describe("an engine that is killed", () => {
  // An order that is approved, and one that times out, have a frame for each of their six events.
  const cases = [1, 2].flatMap((order) =>
    [1, 2, 3, 4, 5, 6].flatMap((frame) => [0, 0.5, 1].map((share) => ({ order, frame, share }))),
  );

  it.each(cases)(
    "ends order $order once, though it died with $share of frame $frame written",
    async ({ order, frame, share }) => {
      expect(await dieAt(frame, share, [order])).toBe(true);
      await expectAllDone([order]);
    },
  );

  it.each([1, 2])("has no seventh frame of order %i", async (order) => {
    expect(await dieAt(7, 1, [order])).toBe(false);
    await expectAllDone([order]);
  });

  it("reads back any log that was cut anywhere, as far as it is whole", async () => {
    const engine = await rig.startEngine({ maxTasks: 1 });
    await rig.openShop();
    await rig.startOrders([1, 2]);
    await rig.untilEnded(2);
    await rig.stop(engine);
    const log = await readFile(rig.file);
    const all = decodeFrames(log).records;
    for (let bytes = 0; bytes <= log.length; bytes++) {
      const found = decodeFrames(log.subarray(0, bytes));
      expect(found.records).toEqual(all.slice(0, found.records.length));
      const histories = new Histories(workflows);
      for (const record of found.records) histories.restore(record as HistoryRecord);
    }
  });
});
