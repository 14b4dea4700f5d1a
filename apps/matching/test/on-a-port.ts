import { NetServer } from "../src/net/net-server.ts";
import type { Incident } from "../src/errors/boundary.ts";
import { createHealth, createHotCalls, createRoutes } from "../src/rpc/routes.ts";
import type { HealthService } from "../src/rpc/health.ts";
import { FakeMatching } from "./fake-matching.ts";

/** A server on a port of its own, with a fake engine. */
export interface OnAPort {
  readonly server: NetServer;
  readonly matching: FakeMatching;
  readonly health: HealthService;
  readonly incidents: Incident[];
  readonly url: string;
}

/** Starts a server on any free port of this machine. Stop it. */
export async function startOnAPort(): Promise<OnAPort> {
  const matching = new FakeMatching();
  const incidents: Incident[] = [];
  const health = createHealth();
  const report = (incident: Incident): void => void incidents.push(incident);
  const options = { version: "1.2.3", health, report, random: () => 0 };
  const routes = createRoutes(matching, options);
  const hotCalls = createHotCalls(matching, options);
  const server = new NetServer({ host: "127.0.0.1", port: 0, routes, hotCalls, report });
  const { url } = await server.start();
  return { server, matching, health, incidents, url };
}
