import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("deadlines that come and go do not outlive the collections of the young generation, as they do in a Map", () => {
  const script = fileURLToPath(new URL("churn.ts", import.meta.url));
  const args = ["--expose-gc", "--experimental-strip-types", "--no-warnings", script];
  const surviving = (kind: string): number =>
    Number(execFileSync(process.execPath, [...args, kind], { encoding: "utf8" }));
  expect(surviving("deadlines")).toBeLessThan(surviving("map") / 4);
});
