import { describe, it } from "vitest";
import { Driver } from "../driver.ts";
import type { Harness } from "../harness.ts";
import { Dice } from "./dice.ts";
import { Walk } from "./walk.ts";

/** How far to go. */
export interface RandomExercise {
  readonly walks: number;
  readonly steps: number;
}

/**
 * Puts an engine through random walks, each step compared with a model of the contract. The same seed walks the same way:
 * a failure names it, and `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, walks it again.
 */
export function exerciseAtRandom(harness: Harness, { walks, steps }: RandomExercise): void {
  const [first = 1, last = first] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, walks];
  const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  describe("at random", () => {
    it(
      `agrees with the model on ${seeds.length} walks of ${steps} steps`,
      { timeout: 5_000 * seeds.length },
      async () => {
        for (const seed of seeds) await walk(harness, seed, steps);
      },
    );
  });
}

async function walk(harness: Harness, seed: number, steps: number): Promise<void> {
  const driver = await Driver.open(harness);
  const walk = new Walk(driver, new Dice(seed));
  try {
    for (let i = 0; i < steps; i++) await walk.step();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`TQ_SEED=${seed}: ${message}\n${walk.trace.slice(-40).join("\n")}`, { cause: error });
  } finally {
    await driver.dispose();
  }
}
