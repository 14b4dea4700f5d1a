/**
 * Adds tasks, and hears how they end.
 *
 * @module @tq/client
 */
export * from "@tq/client";
