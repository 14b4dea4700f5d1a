import type { RequestKey } from "@tq/storage";
import { bounds } from "../validation/bounds.ts";
import { allowName } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";

/** The request id of a call that writes; undefined if it has none. */
export function readRequestKey(
  id: string,
  namespace: string,
  violations: Violations,
  field = "request_id",
): RequestKey | undefined {
  if (id === "") return undefined;
  allowName(id, bounds.requestIdBytes, field, violations);
  return { namespace, id };
}

/**
 * The request id of one of several operations that make up a call. Ids of callers have no control characters, so no two
 * are alike.
 */
export function partOfRequest<Keyed extends { readonly request?: RequestKey }>(read: Keyed, part: string): Keyed {
  if (read.request === undefined) return read;
  return { ...read, request: { ...read.request, id: `${read.request.id}\u0000${part}` } };
}
