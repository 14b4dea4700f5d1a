export { ManualClock } from "./manual-clock.ts";
export { TestServer, type TestServerOptions } from "./test-server.ts";
