import type { BulkOptions, BulkProgress } from "@tq/proto";
import type { BulkCursor, BulkProgressRecord, EventSoFar, TaskChange, TaskFilter } from "@tq/storage";
import type { ReadAction } from "../../translation/action.ts";
import { readBulkFilter } from "../../translation/task-filter.ts";
import type { Violations } from "../../validation/violations.ts";
import { workersOfBuild } from "../workers-of-build.ts";
import { orThrow, type OperatorContext } from "./operator-context.ts";

/** How many tasks one commit of a bulk call looks at, so that it blocks nobody. */
const examinedAtOnce = 500;

/** Which tasks a bulk call changes, and how far it goes. */
export interface BulkScope {
  readonly filter: TaskFilter;
  readonly dryRun: boolean;
  readonly limit?: number;
}

/** The options that all bulk calls share. */
export function readBulk(
  options: BulkOptions | undefined,
  namespace: string,
  { matching }: OperatorContext,
  violations: Violations,
): BulkScope {
  const filter = readBulkFilter(options?.filter, {
    path: "bulk.filter",
    violations,
    workersOfBuild: (buildId) => workersOfBuild(matching, namespace, buildId),
  });
  const { dryRun = false, limit = 0n } = options ?? {};
  // More than anybody has is no limit, too.
  return limit === 0n ? { filter, dryRun } : { filter, dryRun, limit: Number(limit) };
}

/** How far it is, after each chunk. Each is a commit of its own; once the caller is gone there are no more. */
export async function* changeTasks(
  { matching }: Pick<OperatorContext, "matching">,
  bulkChange: BulkScope &
    ReadAction & { readonly namespace: string; readonly change: TaskChange; readonly event?: EventSoFar },
  signal: AbortSignal,
): AsyncGenerator<{ readonly progress: BulkProgressRecord; readonly done: boolean }> {
  let cursor: BulkCursor | undefined;
  do {
    const { progress, next } = orThrow(
      await matching.operate({
        verb: "change-tasks",
        ...bulkChange,
        examine: examinedAtOnce,
        ...(cursor && { cursor }),
      }),
    );
    yield { progress, done: next === undefined };
    cursor = next;
  } while (cursor !== undefined && !signal.aborted);
}

/** How far it is, as a message. */
export function toProgressMessage({ examined, changed, skipped }: BulkProgressRecord, done: boolean): BulkProgress {
  return {
    $typeName: "tq.v1.BulkProgress",
    examined: BigInt(examined),
    changed: BigInt(changed),
    skipped: BigInt(skipped),
    done,
  };
}
