import { type Adapter, stampedPayload } from "../table/adapter.ts";
import { callAtOnce, callAtRate } from "../table/callers.ts";
import { Tally } from "../table/tally.ts";

/** How much each phase takes. */
export interface FlameSizes {
  /** Tasks added in batches of 100, and drained. Half as many are added one by one, and while the worker is there. */
  readonly backlog: number;
  /** Tasks added one at a time to an idle worker. */
  readonly single: number;
  /** How long tasks are added one by one at a steady rate. */
  readonly atRateMs: number;
}

/** As the table's column has it. */
const ratePerSecond = 5_000;

/** Longer than anything here takes. */
const limitMs = 120_000;

/** What is profiled, in this order: for each column of the table that has a must, what it measures. */
export function flamePhases(
  adapter: Adapter,
  { backlog, single, atRateMs }: FlameSizes,
): Readonly<Record<string, () => Promise<void>>> {
  const tally = new Tally();
  let added = 0;
  const add = (): Promise<unknown> => {
    added++;
    return adapter.add(stampedPayload());
  };
  const addAll = async (count: number): Promise<void> => {
    const endsAt = added + count;
    await callAtOnce(10, limitMs, () => {
      const size = Math.min(100, endsAt - added);
      if (size <= 0) return false;
      added += size;
      return adapter.addBatch(Array.from({ length: size }, stampedPayload));
    });
  };
  const allHandled = (): Promise<void> => tally.until(added, limitMs);
  return {
    add: () => addAll(backlog),
    "add-one": async () => {
      const endsAt = added + backlog / 2;
      await callAtOnce(100, limitMs, () => added < endsAt && add());
    },
    drain: async () => {
      await adapter.work(tally.handler);
      await allHandled();
    },
    "add-and-drain": async () => {
      await addAll(backlog / 2);
      await allHandled();
    },
    "idle-latency": async () => {
      for (let i = 0; i < single; i++) await Promise.all([add(), allHandled()]);
    },
    "at-rate": async () => {
      const { failed, firstError } = await callAtRate(ratePerSecond, atRateMs, add);
      if (failed > 0) throw new Error(`${failed} adds failed at ${ratePerSecond}/s`, { cause: firstError });
      await allHandled();
    },
  };
}
