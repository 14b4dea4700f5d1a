import type { Readings } from "../columns.ts";
import { ensureWorking, perSecond, type Run, serverUsage } from "../run.ts";
import type { Scenario } from "../scenarios.ts";
import { addBatches } from "./adding.ts";

/** See {@link Scenario}. */
export async function drain(run: Run, scenario: Extract<Scenario, { kind: "drain" }>): Promise<Readings> {
  const handledBefore = run.tally.handled;
  const sinceMs = performance.now();
  const drained = run.tally.until(run.added, scenario.limitMs);
  await ensureWorking(run);
  await drained;
  return { drain: perSecond(run.tally.handled - handledBefore, sinceMs) };
}

/** See {@link Scenario}. What is left of a backlog is handled on the way, and counts as what it is: handled. */
export async function addAndDrain(run: Run, scenario: Extract<Scenario, { kind: "add-and-drain" }>): Promise<Readings> {
  await ensureWorking(run);
  const before = { server: serverUsage(run), client: process.cpuUsage(), handled: run.tally.handled };
  const sinceMs = performance.now();
  await addBatches(run, scenario);
  await run.tally.until(run.added, scenario.limitMs);
  const handled = run.tally.handled - before.handled;
  const rate = perSecond(handled, sinceMs);
  const client = process.cpuUsage(before.client);
  const server = serverUsage(run);
  return {
    addAndDrain: rate,
    clientCpuMs: (client.user + client.system) / handled,
    ...(before.server !== undefined &&
      server !== undefined && {
        serverCpuMs: (1_000 * (server.cpuMs - before.server.cpuMs)) / handled,
        writtenBytes: (server.writtenBytes - before.server.writtenBytes) / handled,
      }),
  };
}
