import type { RequestKey } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { allowName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";

/** The request id of a call that writes; undefined if it has none. */
export function readRequestKey(id: string, namespace: string, violations: Violations): RequestKey | undefined {
  if (id === "") return undefined;
  allowName(id, bounds.requestIdBytes, "request_id", violations);
  return { namespace, id };
}
