export { type CallName, type Fault, type FaultOptions, Faults, type StalledWorker } from "./faults.ts";
export { ManualClock, type SkipOptions } from "./manual-clock.ts";
export {
  defaultActivityInfo,
  MockActivityEnvironment,
  type MockActivityEnvironmentOptions,
  type MockActivityEvents,
} from "./mock-activity-environment.ts";
export type { Quiet } from "./quiet.ts";
export { TestEnvironment, type TestEnvironmentOptions } from "./test-environment.ts";
export { type RestartOptions, TestServer, type TestServerOptions } from "./test-server.ts";
