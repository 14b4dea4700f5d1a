/*
 * The client process of a run: producer and worker. Started by run-once.ts with one argument, a ClientOrder as JSON; says
 * what it measured as its last line on stdout. Runs under Node, and under Bun for what runs there alone.
 */
import type { AdapterModule, Target } from "./adapter.ts";
import type { RunningServer } from "./run.ts";
import type { Scenario } from "./scenarios.ts";
import { play } from "./play.ts";

/** What a client process is to do. */
export interface ClientOrder {
  /** URL of the adapter's module. */
  readonly adapter: string;
  readonly settings: Target["settings"];
  readonly server: RunningServer;
  readonly warmUp: readonly (readonly Scenario[])[];
  readonly scenarios: readonly (readonly Scenario[])[];
}

// Nothing is left to measure for once the process that started this one has ended.
process.stdin.on("end", () => process.exit(1)).resume();
const order = JSON.parse(process.argv[2] ?? "") as ClientOrder;
const { settings, server } = order;
const module = (await import(order.adapter)) as AdapterModule;
const target = { host: server.host, port: server.port, settings };
await play(module, { ...target, queue: "warm-up" }, server, order.warmUp);
const readings = await play(module, { ...target, queue: "bench" }, server, order.scenarios);
console.log(JSON.stringify(readings));
// Some libraries leave timers behind.
process.exit(0);
