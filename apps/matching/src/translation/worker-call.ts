import { everything, type Registrations, type TypeSet, type WorkerCall } from "@tq/matching-core";
import type { Registrations as RegistrationsMessage, WorkerRef, WorkerStatus as WorkerStatusMessage } from "@tq/proto";
import { bounds } from "../validation/bounds.ts";
import { limitItems } from "../validation/numbers.ts";
import { allowName, requireName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import type { Writable } from "./writable.ts";

/**
 * Stands for the hash of a worker that sends its registrations in full each time and makes none. Not empty, since an
 * empty hash without registrations means a worker that takes every type.
 */
const unhashed = "unhashed";

/**
 * Who calls, and what it has registered.
 *
 * @param silence what a call means that says nothing of registrations: a poll, that its worker takes every type; any
 *   other call, that there is nothing new
 */
export function readWorkerCall(
  ref: WorkerRef | undefined,
  namespace: string,
  status: WorkerStatusMessage | undefined,
  silence: "everything" | "unchanged",
  violations: Violations,
): WorkerCall {
  if (ref === undefined) violations.add("INVALID_FIELD", "worker", "is required");
  const workerId = ref?.workerId ?? "";
  const identity = ref?.identity ?? "";
  const buildId = ref?.buildId ?? "";
  const registrationsHash = ref?.registrationsHash ?? "";
  if (ref !== undefined) requireName(workerId, bounds.workerIdBytes, "worker.worker_id", violations);
  allowName(identity, bounds.nameBytes, "worker.identity", violations);
  allowName(buildId, bounds.nameBytes, "worker.build_id", violations);
  allowName(registrationsHash, bounds.nameBytes, "worker.registrations_hash", violations);

  const call: Writable<WorkerCall> = { namespace, workerId, identity, buildId, registrationsHash };
  if (ref?.registrations !== undefined) {
    call.registrations = readRegistrations(ref.registrations, violations);
    if (registrationsHash === "") call.registrationsHash = unhashed;
  } else if (registrationsHash === "" && silence === "everything") {
    call.registrations = everything;
  }
  if (status !== undefined) {
    call.status = {
      activitySlots: status.activitySlots,
      activitySlotsUsed: status.activitySlotsUsed,
      workflowSlots: status.workflowSlots,
      workflowSlotsUsed: status.workflowSlotsUsed,
    };
  }
  return call;
}

function readRegistrations(message: RegistrationsMessage, violations: Violations): Registrations {
  return {
    activity: readTypes(message.activityTypes, "worker.registrations.activity_types", violations),
    workflow: readTypes(message.workflowTypes, "worker.registrations.workflow_types", violations),
  };
}

function readTypes(types: readonly string[], field: string, violations: Violations): TypeSet {
  if (!limitItems(types.length, bounds.typesPerWorker, field, violations)) return [];
  for (const [i, type] of types.entries()) requireName(type, bounds.nameBytes, `${field}[${i}]`, violations);
  return [...new Set(types)].sort();
}
