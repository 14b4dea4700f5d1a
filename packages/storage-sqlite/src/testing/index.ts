export { InvariantChecker } from "./invariants.ts";
