import { setTimeout as sleep } from "node:timers/promises";
import { withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaled } from "../scenario.ts";

const slots = 100;

/** Handlers that take their time: how many of the worker's slots are busy. */
export const handlers: GrowthScenario = {
  name: "handlers",
  title: "Handlers that take their time, one worker of 100 slots",
  xTitle: "ms that a handler takes",
  series: [
    { key: "drain", title: "draining", unit: "tasks/s" },
    { key: "busySlots", title: "slots busy, of 100", unit: "slots" },
  ],
  measure(options) {
    return measureEach([0, 1, 10, 100], options, (takesMs) =>
      withServer(options, async (server) => {
        await server.configure("handlers");
        const tasks = scaled(Math.min(30_000, (4 * 1_000 * slots) / Math.max(takesMs, 10)), options.scale);
        await server.add("handlers", tasks);
        let busyMs = 0;
        const handle = async (): Promise<void> => {
          const sinceMs = performance.now();
          if (takesMs > 0) await sleep(takesMs);
          busyMs += performance.now() - sinceMs;
        };
        const { perSecond: drain, tookMs } = await server.drain("handlers", tasks, { slots, handle });
        return { drain, busySlots: busyMs / tookMs };
      }),
    );
  },
  shortfalls: () => [],
};
