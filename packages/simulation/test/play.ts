import { expect, it } from "vitest";
import { defaultSteps } from "../src/command-line.ts";
import { report } from "../src/report.ts";
import { simulate } from "../src/simulate.ts";

/** Seeds that one test plays: few enough to be done in seconds. */
const atOnce = 15;

/** Makes a test of every so many seeds, from `first` to `last`. A seed that goes wrong says how to play it again. */
export function playSeeds(first: number, last: number): void {
  for (let from = first; from <= last; from += atOnce) {
    const to = Math.min(from + atOnce - 1, last);
    it(`seeds ${from} to ${to} go well`, async () => {
      for (let seed = from; seed <= to; seed++) {
        const result = await simulate({ seed, steps: defaultSteps });
        if (result.violations.length > 0) expect.fail(report(result, defaultSteps));
      }
    }, 300_000);
  }
}
