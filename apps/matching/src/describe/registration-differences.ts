import type { LiveWorker, TaskQueueKind } from "@tq/matching-core";

/** A type that some live workers of a queue have, and others have not. */
export interface RegistrationDifference {
  readonly type: string;
  readonly workerIdsWith: readonly string[];
  readonly workerIdsWithout: readonly string[];
}

/**
 * Where the registrations of a queue's live workers differ, in order of type. A worker that registered nothing takes
 * every type; one whose registrations are not known yet is left out.
 */
export function registrationDifferences(
  workers: readonly Pick<LiveWorker, "workerId" | "registrations">[],
  kind: TaskQueueKind,
): RegistrationDifference[] {
  const known = workers.flatMap(({ workerId, registrations }) => {
    if (registrations === undefined) return [];
    const types = registrations[kind];
    return [{ workerId, types: types === null ? null : new Set(types) }];
  });
  const types = new Set(known.flatMap((worker) => (worker.types === null ? [] : [...worker.types])));
  const differences: RegistrationDifference[] = [];
  for (const type of [...types].sort()) {
    const workerIdsWith: string[] = [];
    const workerIdsWithout: string[] = [];
    for (const worker of known) {
      (worker.types === null || worker.types.has(type) ? workerIdsWith : workerIdsWithout).push(worker.workerId);
    }
    if (workerIdsWithout.length > 0) differences.push({ type, workerIdsWith, workerIdsWithout });
  }
  return differences;
}
