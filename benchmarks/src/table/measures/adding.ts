import { stampedPayload } from "../adapter.ts";
import { callAtOnce } from "../callers.ts";
import type { Readings } from "../columns.ts";
import { perSecond, type Run, serverFolderBytes } from "../run.ts";
import type { Scenario } from "../scenarios.ts";

/** Batches, so many tasks in all, until the time is over. Answers how many were acknowledged. */
export async function addBatches(
  run: Run,
  { tasks, callers, batch, limitMs }: { tasks: number; callers: number; batch: number; limitMs: number },
): Promise<number> {
  let left = tasks;
  let added = 0;
  await callAtOnce(callers, limitMs, () => {
    const size = Math.min(batch, left);
    if (size === 0) return false;
    left -= size;
    const acknowledged = run.adapter.addBatch(Array.from({ length: size }, stampedPayload));
    return acknowledged.then(() => (added += size));
  });
  run.added += added;
  return added;
}

/** See {@link Scenario}. */
export async function bulkAdd(run: Run, scenario: Extract<Scenario, { kind: "bulk-add" }>): Promise<Readings> {
  const bytesBefore = serverFolderBytes(run);
  const sinceMs = performance.now();
  const added = await addBatches(run, scenario);
  const rate = perSecond(added, sinceMs);
  const grown = serverFolderBytes(run) - bytesBefore;
  // Nothing is to be told of a log that was rewritten meanwhile, or that has space set aside.
  return { bulkAdd: rate, ...(grown > 0 && { diskBytes: grown / added }) };
}

/** See {@link Scenario}. */
export async function addOne(run: Run, scenario: Extract<Scenario, { kind: "add-one" }>): Promise<Readings> {
  let added = 0;
  const sinceMs = performance.now();
  await callAtOnce(scenario.callers, scenario.limitMs, () => run.adapter.add(stampedPayload()).then(() => added++));
  const rate = perSecond(added, sinceMs);
  run.added += added;
  return { addOne: rate };
}
