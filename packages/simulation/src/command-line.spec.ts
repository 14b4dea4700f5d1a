import { describe, expect, it } from "vitest";
import { defaultSteps, parseCommandLine } from "./command-line.ts";

describe("the command line", () => {
  it("takes one seed, or a range of them", () => {
    expect(parseCommandLine(["--seed", "7"])).toEqual({ seeds: [7], steps: defaultSteps });
    expect(parseCommandLine(["--seeds", "3-5", "--steps", "200"])).toEqual({ seeds: [3, 4, 5], steps: 200 });
  });

  it("takes what pnpm hands on", () => {
    expect(parseCommandLine(["--", "--seed", "7"]).seeds).toEqual([7]);
  });

  it.each([[[]], [["--seed", "x"]], [["--seeds", "5"]], [["--seed", "1", "--seeds", "1-2"]]])(
    "refuses %j with how it is used",
    (args) => {
      expect(() => parseCommandLine(args)).toThrow(/usage: pnpm simulate --seed N/);
    },
  );
});
