import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const batch = Array.from({ length: 100 }, (_, id) => ({ id: String(id), type: "bench", input: "x".repeat(256) }));

/**
 * How fast this machine does just now what every server here does: take in a batch of 100 tasks, write it and wait for the
 * disk. In batches a second. It has nothing of tq in it, so that a rate of tq divided by it tells of tq, not of the machine.
 */
export function calibrate(forMs = 400): number {
  const file = join(process.env["TQ_BENCH_DIR"] ?? tmpdir(), `tq-calibration-${process.pid}`);
  const descriptor = openSync(file, "w");
  try {
    const sinceMs = performance.now();
    let batches = 0;
    for (; performance.now() - sinceMs < forMs; batches++) {
      const text = JSON.stringify(JSON.parse(JSON.stringify(batch)));
      // Over the same place again, as a write-ahead log does: the file stays small.
      writeSync(descriptor, text, (batches % 64) * 32_768);
      fdatasyncSync(descriptor);
    }
    return (1_000 * batches) / (performance.now() - sinceMs);
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
}
