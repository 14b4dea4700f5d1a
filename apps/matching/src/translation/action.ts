import { toJsonString, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Action } from "@tq/proto";
import type { ActionRecord, RequestKey } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";
import { bounds } from "../validation/bounds.ts";
import { allowText } from "../validation/strings.ts";
import type { Violations } from "../validation/violations.ts";
import { readRequestKey } from "./request-key.ts";

/** Where an operator's call carries its request id. */
export const actionRequestId = "action.request_id";

/** Who asks for a change and why, and the id that makes the call repeatable. */
export interface ReadAction {
  readonly action: ActionRecord;
  readonly request?: RequestKey;
}

/**
 * What an operator's call says of itself, for its event. To be read after the call's own fields: it throws what
 * `violations` has collected, since only a valid request has a JSON form.
 */
export function readAction<Schema extends DescMessage>(
  schema: Schema,
  request: MessageShape<Schema> & { readonly action?: Action | undefined },
  namespace: string,
  violations: Violations,
): ReadAction {
  const { requestId = "", actor = "", reason = "" } = request.action ?? {};
  allowText(actor, bounds.nameBytes, "action.actor", violations);
  allowText(reason, bounds.reasonBytes, "action.reason", violations);
  const key = readRequestKey(requestId, namespace, violations, actionRequestId);
  violations.throwIfAny();
  const call = schema.name.replace(/Request$/, "");
  const action = { actor, reason, call, request: jsonOf(schema, request) };
  return key === undefined ? { action } : { action, request: key };
}

/** The request as protobuf JSON, without the action: the event has that beside it. */
function jsonOf<Schema extends DescMessage>(
  schema: Schema,
  request: MessageShape<Schema> & { readonly action?: Action | undefined },
): string {
  const asked: MessageShape<Schema> & { action?: Action | undefined } = { ...request };
  delete asked.action;
  try {
    return toJsonString(schema, asked);
  } catch (cause) {
    // Such as a moment beyond the year 9999, in a field that the call does not look at.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CallRefused("INVALID_FIELD", { message: `the request has no JSON form: ${why}`, cause });
  }
}
