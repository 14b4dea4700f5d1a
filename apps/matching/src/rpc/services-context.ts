import type { HandlerContext } from "@connectrpc/connect";
import type { CallerSignal, Delivery, Matching } from "../matching/matching.ts";
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

/** Where a call came from, whichever way it was read. */
export interface CallOrigin {
  /** Aborts when the caller is gone or gives up. */
  readonly signal: CallerSignal;
  readonly delivery: Delivery;
  /** Time left until the caller gives up; undefined: it waits for ever. */
  readonly timeoutMs: () => number | undefined;
}

/** The origin of a call that Connect has read. */
export function originOf(context: HandlerContext): CallOrigin {
  return {
    signal: context.signal,
    delivery: context.values.get(deliveryKey),
    timeoutMs: () => context.timeoutMs(),
  };
}

/** What a long-lived call brings beside its request. Asked for nothing, it is held as long as any. */
export function surroundings(services: ServicesContext, namespace: string, origin: CallOrigin): CallSurroundings {
  return {
    namespace,
    signal: origin.signal,
    delivery: origin.delivery,
    makeId: () => makeTaskId(services.matching.now()),
    holdFor: (askedMs = bounds.longestWaitMs) => holdMs(askedMs, origin.timeoutMs(), services.random()),
  };
}
