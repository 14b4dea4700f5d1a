import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HistoryRecord } from "../history.ts";
import { countWords, factsOf, outlineOf } from "./text.ts";
import type { ReportPart } from "./workflows.ts";

/** Computes one file's part here and now, without tq. */
export async function directPart(folder: string, path: string): Promise<ReportPart> {
  const content = await readFile(join(folder, path));
  return { path, ...factsOf(content), ...outlineOf(content), words: countWords(content) };
}

/** How the workflows ended, as the engine's log has it: for each all of its ends, of which there should be one. */
export function endsByWorkflow(records: readonly HistoryRecord[]): ReadonlyMap<string, readonly unknown[]> {
  const ends = new Map<string, unknown[]>();
  for (const { workflow, decision } of records) {
    const found = ends.get(workflow) ?? [];
    ends.set(workflow, found);
    const { end } = decision;
    if (end !== undefined) found.push(end.kind === "returned" ? end.result : { failed: end.failure });
  }
  return ends;
}

/**
 * Compares what the workflows made with what was computed directly, by workflow.
 *
 * @returns What is wrong, a line each; empty if every workflow ended once with the right part and there are no others.
 */
export function compareReports(
  ends: ReadonlyMap<string, readonly unknown[]>,
  direct: ReadonlyMap<string, ReportPart>,
): string[] {
  const wrong: string[] = [];
  for (const [workflow, part] of direct) {
    const found = ends.get(workflow) ?? [];
    if (found.length !== 1) wrong.push(`${workflow} (${part.path}) ended ${found.length} times instead of once`);
    else if (canonical(found[0]) !== canonical(part)) {
      wrong.push(`${workflow} (${part.path}) is ${excerpt(found[0])} instead of ${excerpt(part)}`);
    }
  }
  for (const workflow of ends.keys()) if (!direct.has(workflow)) wrong.push(`${workflow} was never asked for`);
  return wrong;
}

/** JSON in which the order of fields does not matter. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
}

function excerpt(value: unknown): string {
  const text = canonical(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
