import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

function surviving(kind: "Map" | "ChurnMap" | "Set" | "ChurnSet" | "Deadlines"): number {
  const script = fileURLToPath(new URL("churn.ts", import.meta.url));
  const options = ["--expose-gc", "--experimental-strip-types", "--no-warnings", script, kind];
  return Number(execFileSync(process.execPath, options, { encoding: "utf8" }));
}

// Here, since the core knows nothing of Node.
describe("what comes and goes does not outlive the collections of the young generation", () => {
  test("in the core's Map and Set, as it does in plain ones", () => {
    expect(surviving("ChurnMap")).toBeLessThan(surviving("Map") / 4);
    expect(surviving("ChurnSet")).toBeLessThan(surviving("Set") / 4);
  });

  test("nor does a deadline that is over", () => {
    expect(surviving("Deadlines")).toBeLessThan(surviving("Map") / 4);
  });
});
