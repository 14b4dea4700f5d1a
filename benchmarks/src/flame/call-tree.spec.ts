import { expect, test } from "vitest";
import { callTree, longest, type CpuProfile } from "./call-tree.ts";
import { flameSvg } from "./flame-svg.ts";

const root = "file:///somewhere/";
const frame = (functionName: string, file = "") => ({
  functionName,
  url: file === "" ? "" : `${root}${file}`,
  lineNumber: 4,
});

/** `work` calls `write` from two places of its own, each of which calls a native function. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("work", "apps/a/dist/work.js"), children: [4, 5] },
    { id: 4, callFrame: frame("write", "x/node_modules/.pnpm/p@1/node_modules/p/write.js"), children: [6] },
    { id: 5, callFrame: frame("write", "x/node_modules/.pnpm/p@1/node_modules/p/write.js") },
    { id: 6, callFrame: frame("") },
  ],
  samples: [2, 3, 4, 6, 5, 2],
  // The first says how long after the start the first sample was taken; the last sample lasts until nobody knows when.
  timeDeltas: [7, 100, 10, 20, 30, 40],
};

test("a profile's samples become calls, those of one function by one caller together", () => {
  expect(callTree(profile, root)).toEqual({
    name: "all",
    total: 200,
    self: 0,
    calls: [
      { name: "(idle)", total: 100, self: 100, calls: [] },
      {
        name: "work apps/a/dist/work.js:5",
        total: 100,
        self: 10,
        calls: [
          {
            name: "write p/write.js:5",
            total: 90,
            self: 60,
            calls: [{ name: "(native)", total: 30, self: 30, calls: [] }],
          },
        ],
      },
    ],
  });
});

test("the functions that took most are told with the time in themselves", () => {
  expect(longest(callTree(profile, root), 2)).toEqual([
    { name: "(idle)", self: 100 },
    { name: "write p/write.js:5", self: 60 },
  ]);
});

test("a flame graph has a box for each call as wide as its share of the busy time, and names no folder of the machine", () => {
  const svg = flameSvg("drain <server>", callTree(profile, root));
  expect(svg).toContain("drain &lt;server&gt;: 0.0 s, main thread busy for 50 %");
  expect(svg).toContain("<title>work apps/a/dist/work.js:5: 100.0 %</title>");
  expect(svg).toContain('<title>write p/write.js:5: 90.0 %</title><rect x="0.0" y="-16" width="1080.0"');
  expect(svg).not.toContain("(idle)");
  expect(svg).not.toContain("somewhere");
});
