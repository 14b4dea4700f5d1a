/**
 * Thrown by a handler that lacks what it needs in this very process (a downloaded file, the state of a workflow): the task
 * goes to its fallback queue, and no attempt is used. A task without a fallback goes back to its place in its queue, and
 * may come again at once.
 */
export class ReleaseToFallback extends Error {
  override readonly name = "ReleaseToFallback";

  /** @param reason Why, for operators. At most 300 characters are kept. */
  constructor(reason = "what the handler needs is not in this process") {
    super(reason);
  }
}
