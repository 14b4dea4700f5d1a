/**
 * Runs handlers for tasks.
 *
 * @module @tq/worker-sdk
 */
export * from "@tq/worker-sdk";
