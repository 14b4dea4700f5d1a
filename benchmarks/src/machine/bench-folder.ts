import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whenThisProcessEnds } from "./when-this-process-ends.ts";

/** Where what is measured keeps its files. */
export interface BenchFolder {
  readonly path: string;
  /** Removes it and all that is in it. */
  remove(): void;
}

/** A new folder, in TQ_BENCH_DIR or among the temporary ones. Removed at the end of this process if it is not before. */
export function benchFolder(): BenchFolder {
  const path = mkdtempSync(join(process.env["TQ_BENCH_DIR"] ?? tmpdir(), "tq-bench-"));
  // The server that writes there is killed at the same moment.
  const keep = whenThisProcessEnds('sleep 1; rm -rf -- "$1"', path);
  return {
    path,
    remove() {
      keep();
      rmSync(path, { recursive: true, force: true });
    },
  };
}
