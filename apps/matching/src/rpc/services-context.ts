import type { HandlerContext } from "@connectrpc/connect";
import type { Matching } from "../matching/matching.ts";
import { makeTaskId } from "../translation/task-id.ts";
import type { CallSurroundings } from "../translation/poll.ts";
import { bounds } from "../validation/bounds.ts";
import { deliveryKey } from "./delivery.ts";
import { holdMs } from "./holding.ts";
import type { Namespaces } from "./namespaces.ts";

/** What the handlers of all services work with. */
export interface ServicesContext {
  readonly matching: Matching;
  readonly namespaces: Namespaces;
  readonly maxReplyBytes: number;
  /** A number in [0, 1), drawn anew with each call. */
  readonly random: () => number;
}

/** What a long-lived call brings beside its request. Asked for nothing, it is held as long as any. */
export function surroundings(services: ServicesContext, namespace: string, context: HandlerContext): CallSurroundings {
  return {
    namespace,
    signal: context.signal,
    delivery: context.values.get(deliveryKey),
    makeId: () => makeTaskId(services.matching.now()),
    holdFor: (askedMs = bounds.longestWaitMs) => holdMs(askedMs, context.timeoutMs(), services.random()),
  };
}
