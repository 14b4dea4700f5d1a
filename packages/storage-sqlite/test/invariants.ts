// In src, since the simulation looks into its files with it, too.
export { InvariantChecker } from "../src/testing/invariants.ts";
