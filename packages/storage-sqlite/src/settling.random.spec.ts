/*
 * When commits are settled makes no difference to anybody: what a store answers that settles at every commit, one answers
 * that does so rarely, also after failed commits and crashes; and what a crash left in the journal alone comes to the same
 * rows.
 */
import { Driver, exerciseAtRandom } from "@tq/storage/exercise";
import { describe, it } from "vitest";
import { Groups } from "../test/groups.ts";
import { seeded } from "../test/seeded.ts";
import { twins } from "../test/twins.ts";

const steps = 60;
/** `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, goes through others. */
const [firstSeed = 1, lastSeed = firstSeed] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, 9];

describe("groups of operations", () => {
  it.each(Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i))(
    "come to the same however rarely they are settled: seed %i",
    async (seed) => {
      const d = await Driver.open(twins);
      const groups = new Groups(d, seeded(seed));
      try {
        for (let i = 0; i < steps; i++) await groups.step();
        await d.crash();
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

exerciseAtRandom(twins, { walks: 20, steps: 60 });
