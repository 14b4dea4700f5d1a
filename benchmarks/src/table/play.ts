import type { AdapterModule, Target } from "./adapter.ts";
import type { Readings } from "./columns.ts";
import { addOne, bulkAdd } from "./measures/adding.ts";
import { addAndDrain, drain } from "./measures/draining.ts";
import { idleLatency, latencyAtRate } from "./measures/latency.ts";
import { wire } from "./measures/wire.ts";
import type { Run, RunningServer } from "./run.ts";
import type { Scenario } from "./scenarios.ts";
import { Tally } from "./tally.ts";

/** Plays groups of scenarios in order against one server. Answers what they measured. */
export async function play(
  module: AdapterModule,
  target: Target,
  server: RunningServer,
  groups: readonly (readonly Scenario[])[],
): Promise<Readings> {
  const readings: Readings = {};
  for (const [number, group] of groups.entries()) {
    const own = { ...target, queue: `${target.queue}-${number}` };
    const adapter = await module.connect(own);
    const run: Run = { module, target: own, adapter, tally: new Tally(), server, added: 0, isWorking: false };
    for (const scenario of group) Object.assign(readings, await measured(run, scenario));
    await adapter.close();
  }
  return readings;
}

function measured(run: Run, scenario: Scenario): Promise<Readings> {
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
    case "wire":
      return wire(run, scenario);
  }
}
