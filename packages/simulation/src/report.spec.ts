import { describe, expect, it } from "vitest";
import type { Entry } from "./history.ts";
import { report } from "./report.ts";

describe("the report of a run that went wrong", () => {
  const history = Array.from({ length: 50 }, (_, i): Entry => ({ kind: "event", what: `event ${i}` }));
  const text = report({ seed: 7, history, violations: ["order: a overtook b"] }, 90);

  it("says in one line how to play it again", () => {
    expect(text.split("\n")).toContain("  pnpm simulate --seed 7 --steps 90");
  });

  it("has the end of the history, and what was wrong", () => {
    expect(text).toContain("event 49");
    expect(text).not.toContain('"event 5"');
    expect(text).toContain("- order: a overtook b");
  });
});
