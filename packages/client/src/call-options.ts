import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { optionalBoolean, optionalSignal, optionalWhole, requireText } from "./option-checks.ts";

/** Options of one call. */
export interface CallOptions {
  /**
   * Ends the waiting: `AbortSignal.timeout(5000)` waits for 5 s, tries included. The rejection is the signal's reason. What
   * was sent may have its effect all the same.
   */
  readonly signal?: AbortSignal;
}

/** Options of a cancel. */
export interface CancelOptions extends CallOptions {
  /** Told to the handler, and kept with the task. At most 1,000 bytes. Default none. */
  readonly reason?: string;
  /** Closes a started task at once and revokes its worker's lease, instead of waiting for the handler. Default false. */
  readonly force?: boolean;
}

/** Options of waiting for a result. The signal ends the waiting, not the task. */
export type ResultOptions = CallOptions;

/** Options of listing tasks. */
export interface ListOptions extends CallOptions {
  /** Tasks that a call brings, 1 to 1,000. Default 100. */
  readonly pageSize?: number;
  /** Also brings arguments and results; without it they are left out. Default false. */
  readonly includePayloads?: boolean;
}

const callOptions: KnownOptions<CallOptions> = { signal: true };
const cancelOptions: KnownOptions<CancelOptions> = { signal: true, reason: true, force: true };
const listOptions: KnownOptions<ListOptions> = { signal: true, pageSize: true, includePayloads: true };

/** @throws TqError `invalid_argument` naming the option. */
export function checkCallOptions(options: CallOptions): void {
  refuseUnknownOptions(options, callOptions);
  optionalSignal(options.signal, "signal");
}

/** @throws TqError `invalid_argument` naming the option. */
export function checkCancelOptions(options: CancelOptions): void {
  refuseUnknownOptions(options, cancelOptions);
  optionalSignal(options.signal, "signal");
  if (options.reason !== undefined) requireText(options.reason, "reason");
  optionalBoolean(options.force, "force");
}

/** @throws TqError `invalid_argument` naming the option. */
export function checkListOptions(options: ListOptions): void {
  refuseUnknownOptions(options, listOptions);
  optionalSignal(options.signal, "signal");
  optionalWhole(options.pageSize, "pageSize");
  optionalBoolean(options.includePayloads, "includePayloads");
}
