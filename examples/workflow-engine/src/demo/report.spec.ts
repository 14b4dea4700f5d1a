import { describe, expect, it } from "vitest";
import type { End, HistoryRecord } from "../history.ts";
import { compareReports, endsByWorkflow } from "./report.ts";
import type { ReportPart } from "./workflows.ts";

const part: ReportPart = { path: "a.md", bytes: 1, sha256: "x", headings: [], links: ["l"], words: 2 };
const direct = new Map([["w1", part]]);

function record(workflow: string, end?: End): HistoryRecord {
  const decision = { commands: [], ...(end && { end }) };
  return { workflow, type: "describeFile", task: "t", atMs: 0, event: { kind: "fired", n: 1 }, decision };
}
const returned = (result: unknown): End => ({ kind: "returned", result });
const reordered = Object.fromEntries(Object.entries(part).toReversed());

describe("the report", () => {
  it.each<[string, HistoryRecord[], RegExp[]]>([
    ["is right whatever the order of its fields", [record("w1"), record("w1", returned(reordered))], []],
    ["lacks a workflow", [], [/^w1 \(a.md\) ended 0 times/]],
    ["lacks an end", [record("w1")], [/^w1 \(a.md\) ended 0 times/]],
    [
      "has an end twice",
      [record("w1", returned(part)), record("w1", returned(part))],
      [/ended 2 times instead of once/],
    ],
    ["has another value", [record("w1", returned({ ...part, words: 3 }))], [/"words":3\} instead of .*"words":2\}$/]],
    [
      "has a failure",
      [record("w1", { kind: "threw", failure: { type: "Error", message: "no" } })],
      [/is \{"failed":.*no/],
    ],
    ["has a workflow too many", [record("w1", returned(part)), record("w2")], [/^w2 was never asked for$/]],
  ])("%s", (_, records, wrong) => {
    const found = compareReports(endsByWorkflow(records), direct);
    expect(found.length).toBe(wrong.length);
    for (const [index, pattern] of wrong.entries()) expect(found[index]).toMatch(pattern);
  });
});
