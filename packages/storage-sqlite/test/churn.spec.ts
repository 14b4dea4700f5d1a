import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** How many bytes of what has gone from a collection outlive V8's collections of the young generation. */
function surviving(kind: "Map" | "ChurnMap" | "Set" | "ChurnSet"): number {
  const script = fileURLToPath(new URL("churn.ts", import.meta.url));
  const options = ["--expose-gc", "--experimental-strip-types", "--no-warnings", script, kind];
  return Number(execFileSync(process.execPath, options, { encoding: "utf8" }));
}

// Here, since the core knows nothing of Node.
describe("the core's Map and Set of what comes and goes", () => {
  test("let go of what has gone with the collections of the young generation, as plain ones do not", () => {
    expect(surviving("ChurnMap")).toBeLessThan(surviving("Map") / 4);
    expect(surviving("ChurnSet")).toBeLessThan(surviving("Set") / 4);
  });
});
