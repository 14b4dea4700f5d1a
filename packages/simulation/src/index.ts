export { hashOf, tailOf, type History } from "./history.ts";
export { simulate, type SimulationOptions, type SimulationResult } from "./simulate.ts";
