/*
 * Many operations in one commit, as a busy server makes them, over tasks that stand in chunks: at random. After each commit
 * the file is checked; now and then it fails, or the process is killed, and nothing may be different afterwards.
 */
import { Driver } from "@tq/storage/exercise";
import { describe, it } from "vitest";
import { Groups } from "../test/groups.ts";
import { sqlite } from "../test/home.ts";
import { seeded } from "../test/seeded.ts";

const steps = 60;
/** `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, goes through others. */
const [firstSeed = 1, lastSeed = firstSeed] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, 16];

describe("groups of operations", () => {
  it.each(Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i))(
    "leave a file that agrees with itself, whatever fails: seed %i",
    async (seed) => {
      const d = await Driver.open(sqlite);
      const groups = new Groups(d, seeded(seed));
      try {
        for (let i = 0; i < steps; i++) await groups.step();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`TQ_SEED=${seed}: ${message}\n${groups.trace.slice(-2).join("\n")}`, { cause: error });
      } finally {
        await d.dispose();
      }
    },
    120_000,
  );
});
