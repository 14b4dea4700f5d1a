import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { SharedPage } from "../src/shared-rows.ts";
import { type RowWriterData, writtenRows, writtenWith } from "./row-writer.ts";

test("what another thread reads while it is written is whole, or left for the next look", { timeout: 60_000 }, () => {
  const page = SharedPage.withRoomFor(0);
  const state = new Int32Array(new SharedArrayBuffer(8));
  const workerData: RowWriterData = { page: page.memory, state };
  const thread = new Worker(new URL("./row-writer.ts", import.meta.url), { workerData });
  onTestFinished(async () => {
    Atomics.store(state, 1, 1);
    await thread.terminate();
  });
  Atomics.wait(state, 0, 0);
  const begunAtMs = performance.now();
  const seen = new Set<number>();
  for (let look = 0; seen.size < 2_000 && performance.now() - begunAtMs < 30_000; look++) {
    const row = look % writtenRows;
    const stamp = page.stampOf(row);
    const read = stamp === 0 ? undefined : page.read(row, stamp);
    if (read === undefined) continue;
    expect(read).toEqual(writtenWith(stamp));
    seen.add(stamp);
  }
  expect(seen.size).toBe(2_000);
});
