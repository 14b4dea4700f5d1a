/**
 * The server, inside a process of yours.
 *
 * @module @tq/matching
 */
export * from "@tq/matching";
