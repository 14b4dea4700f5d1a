/* Seeds that found a bug, with what they found: each is played as it was when it did. */
import { describe, expect, it } from "vitest";
import { report } from "../src/report.ts";
import { simulate } from "../src/simulate.ts";

const places =
  "where one task of a key was moved or removed and another one placed in one commit, later tasks of the key overtook that one";

const found: readonly { readonly seed: number; readonly steps: number; readonly what: string }[] = [
  { seed: 7, steps: 60, what: places },
  { seed: 13, steps: 60, what: places },
  { seed: 37, steps: 60, what: places },
  { seed: 102, steps: 60, what: places },
  { seed: 152, steps: 60, what: places },
];

describe("what a seed has found stays mended", () => {
  it.each(found)(
    "seed $seed: $what",
    async ({ seed, steps }) => {
      const result = await simulate({ seed, steps });
      if (result.violations.length > 0) expect.fail(report(result, steps));
    },
    300_000,
  );
});
