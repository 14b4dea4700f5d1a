/**
 * Tests of handlers: a server in process, and a clock that the test moves.
 *
 * @module @tq/testing
 */
export * from "@tq/testing";
