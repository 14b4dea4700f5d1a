import type { AdapterModule, Target } from "./adapter.ts";
import type { Readings } from "./columns.ts";
import { addOne, bulkAdd } from "./measures/adding.ts";
import { addAndDrain, drain } from "./measures/draining.ts";
import { idleLatency, latencyAtRate } from "./measures/latency.ts";
import { wire } from "./measures/wire.ts";
import type { Run, RunningServer } from "./run.ts";
import type { Scenario } from "./scenarios.ts";
import { Tally } from "./tally.ts";

/** Plays scenarios in order against one server, on one queue. Answers what they measured. */
export async function play(
  module: AdapterModule,
  target: Target,
  server: RunningServer,
  scenarios: readonly Scenario[],
): Promise<Readings> {
  const adapter = await module.connect(target);
  const run: Run = { adapter, tally: new Tally(), server, added: 0, isWorking: false };
  const readings: Readings = {};
  for (const scenario of scenarios) {
    if (scenario.kind !== "wire") Object.assign(readings, await measured(run, scenario));
  }
  await adapter.close();
  for (const scenario of scenarios) {
    if (scenario.kind === "wire") Object.assign(readings, await wire(module, target, scenario));
  }
  return readings;
}

function measured(run: Run, scenario: Exclude<Scenario, { kind: "wire" }>): Promise<Readings> {
  switch (scenario.kind) {
    case "bulk-add":
      return bulkAdd(run, scenario);
    case "add-one":
      return addOne(run, scenario);
    case "drain":
      return drain(run, scenario);
    case "add-and-drain":
      return addAndDrain(run, scenario);
    case "idle-latency":
      return idleLatency(run, scenario);
    case "latency-at-rate":
      return latencyAtRate(run, scenario);
  }
}
