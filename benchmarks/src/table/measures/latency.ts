import { setTimeout as sleep } from "node:timers/promises";
import { ageMs, stampedPayload } from "../adapter.ts";
import { callAtRate } from "../callers.ts";
import type { Readings } from "../columns.ts";
import { ensureWorking, quantile, type Run } from "../run.ts";
import type { Scenario } from "../scenarios.ts";

/** How long to wait for the worker to be idle, and for the last tasks of a steady rate. */
const patienceMs = 2_000;

/** See {@link Scenario}. Left out if the worker does not get done with what was there before. */
export async function idleLatency(run: Run, scenario: Extract<Scenario, { kind: "idle-latency" }>): Promise<Readings> {
  if (!(await isIdle(run))) return {};
  const ages: number[] = [];
  run.tally.onTask = (payload) => ages.push(ageMs(payload));
  const endsAt = performance.now() + scenario.limitMs;
  for (let i = 0; i < scenario.tasks && performance.now() < endsAt; i++) {
    const added = run.adapter.add(stampedPayload());
    run.added++;
    await run.tally.until(run.added, patienceMs);
    await added;
  }
  run.tally.onTask = () => {};
  return defined({ idleMedianMs: quantile(ages, 0.5), idleP99Ms: quantile(ages, 0.99) });
}

/**
 * See {@link Scenario}. A task's time begins as `add` is called, whether earlier adds are acknowledged or not. Left out if
 * the system does not keep up, in adding or in handling, or gives adds up.
 */
export async function latencyAtRate(
  run: Run,
  scenario: Extract<Scenario, { kind: "latency-at-rate" }>,
): Promise<Readings> {
  if (!(await isIdle(run))) return {};
  const ages: number[] = [];
  run.tally.onTask = (payload) => ages.push(ageMs(payload));
  const { made, failed, isWhole } = await callAtRate(scenario.perSecond, scenario.forMs, () =>
    run.adapter.add(stampedPayload()),
  );
  run.added += made - failed;
  await run.tally.until(run.added, patienceMs);
  run.tally.onTask = () => {};
  const keptUp = isWhole && failed === 0 && run.tally.handled >= run.added;
  return keptUp ? defined({ loadedP99Ms: quantile(ages, 0.99) }) : {};
}

async function isIdle(run: Run): Promise<boolean> {
  await ensureWorking(run);
  await run.tally.until(run.added, patienceMs);
  // Its last answers are on their way still.
  await sleep(200);
  return run.tally.handled >= run.added;
}

function defined(readings: { readonly [K in keyof Readings]: Readings[K] | undefined }): Readings {
  return Object.fromEntries(Object.entries(readings).filter(([, value]) => value !== undefined)) as Readings;
}
