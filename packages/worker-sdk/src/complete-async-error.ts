/**
 * Thrown by an activity (or by `Context.current().completeAsync()`) to say that its outcome comes later, by
 * `client.asyncCompletion` and its `info.taskToken`: the attempt is not over, its slot is free. The worker keeps the lease
 * alive as long as it lives.
 * In a workflow handler it is a failure: commands come from the worker alone.
 */
export class CompleteAsyncError extends Error {
  override readonly name = "CompleteAsyncError";

  constructor() {
    super("The activity is completed later, by its task token");
  }
}
