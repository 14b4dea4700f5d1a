import type { Matching } from "../matching/matching.ts";

/** The live workers of a build. Which build a worker had that is gone is not remembered. */
export function workersOfBuild(matching: Pick<Matching, "workersOf">, namespace: string, buildId: string): string[] {
  return matching.workersOf(namespace).flatMap((worker) => (worker.buildId === buildId ? [worker.workerId] : []));
}
