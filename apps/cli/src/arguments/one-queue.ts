import { kindNumber } from "../output/names.ts";
import type { Session } from "../session.ts";
import { type ActionFlags, actionOf } from "./action.ts";
import type { KindFlag } from "./kind.ts";

/** What the commands that steer one queue, or both kinds of a name, have in common. */
export interface OneQueueFlags extends KindFlag, ActionFlags {}

/** What such a command was told. */
export interface OneQueueOptions extends OneQueueFlags {
  readonly queue: string;
}

/** What the requests of such commands have in common. */
export interface OneQueueRequest {
  readonly namespace: string;
  readonly action: ReturnType<typeof actionOf>;
  readonly taskQueue: { readonly name: string; readonly kind: ReturnType<typeof kindNumber> };
}

/** The contract's request of it. Each call of this makes a new one. */
export function oneQueueRequestOf(options: OneQueueOptions, session: Session): OneQueueRequest {
  const { queue: name, kind } = options;
  const { namespace } = session.globals;
  return { namespace, action: actionOf(options, session), taskQueue: { name, kind: kindNumber(kind) } };
}
