// A thread that puts texts that belong together into a few rows, again and again, until it is told to end.

import { workerData } from "node:worker_threads";
import { SharedPage } from "../src/shared-rows.ts";

export interface RowWriterData {
  readonly page: SharedArrayBuffer;
  /** How many it has put; and whether it is to end. */
  readonly state: Int32Array;
}

/** How many rows it writes. */
export const writtenRows = 4;

/** What it puts into a row with this stamp. */
export function writtenWith(stamp: number) {
  const text = String.fromCharCode(97 + (stamp % 26));
  return { kind: "lease", key: text.repeat(1 + (stamp % 100)), type: text.repeat(stamp % 90), atMs: stamp } as const;
}

if (workerData !== null) {
  const { page: memory, state } = workerData as RowWriterData;
  const page = new SharedPage(memory);
  for (let stamp = 1; Atomics.load(state, 1) === 0; stamp++) {
    const row = stamp % writtenRows;
    page.clear(row);
    page.put(row, stamp, writtenWith(stamp));
    Atomics.store(state, 0, stamp);
    Atomics.notify(state, 0);
  }
}
