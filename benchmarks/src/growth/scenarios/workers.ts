import { withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaled } from "../scenario.ts";

/** Workers that share a queue, all in one process, so that they share its processor time too. */
export const workers: GrowthScenario = {
  name: "workers",
  title: "Workers of 100 slots on one queue",
  xTitle: "workers, in one process",
  series: [{ key: "drain", title: "draining", unit: "tasks/s" }],
  measure(options) {
    return measureEach([1, 2, 4, 8, 16, 32], options, (count) =>
      withServer(options, async (server) => {
        await server.configure("workers");
        const tasks = scaled(50_000, options.scale);
        await server.add("workers", tasks);
        const { perSecond: drain } = await server.drain("workers", tasks, { workers: count });
        return { drain };
      }),
    );
  },
  shortfalls: () => [],
};
