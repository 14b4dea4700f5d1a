/**
 * The contract: messages and services of tq.v1.
 *
 * @module @tq/proto
 */
export * from "@tq/proto";
