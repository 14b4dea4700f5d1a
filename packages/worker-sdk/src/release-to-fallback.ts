/**
 * Thrown by a handler that lacks what it needs in this very process (a downloaded file, the state of a workflow): the task
 * goes to its fallback queue, and no attempt is used. Where the task has no fallback, or has gone there already, the attempt has failed
 * with the type `NoFallback`: it is tried again after its back-off, as often as its retry policy allows, and the failure says so.
 */
export class ReleaseToFallback extends Error {
  override readonly name = "ReleaseToFallback";

  /** @param reason Why, for operators. At most 300 characters are kept. */
  constructor(reason = "what the handler needs is not in this process") {
    super(reason);
  }
}
