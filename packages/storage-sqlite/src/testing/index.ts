export { InvariantChecker } from "./invariants.ts";
export { abandon, settle } from "./settle.ts";
