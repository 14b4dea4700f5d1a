import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{packages,apps,examples}/*/{src,test}/**/*.spec.ts", "benchmarks/{src,test}/**/*.spec.ts"],
    // Processes, not threads: a crash in better-sqlite3 or a leaked handle fails its own file, and specs may use signals.
    pool: "forks",
    // Some specs wait for processes of their own; on two cores a third worker takes a third of the time off.
    maxWorkers: Math.max(3, availableParallelism()),
    // A spec imports what it uses, and cleans up after itself.
    globals: false,
    restoreMocks: true,
    unstubEnvs: true,
    // Past it a test hangs: they use a manual clock, not sleeps.
    testTimeout: 15_000,
  },
});
