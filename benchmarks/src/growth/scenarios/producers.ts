import { withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaled } from "../scenario.ts";

/** Producers that add at once, in one process: each waits for its call before it makes the next. */
export const producers: GrowthScenario = {
  name: "producers",
  title: "Producers at once",
  xTitle: "calls under way at once, in one process",
  series: [
    { key: "hundreds", title: "100 tasks a call", unit: "tasks/s" },
    { key: "single", title: "one task a call of addMany, not gathered", unit: "tasks/s" },
  ],
  measure(options) {
    return measureEach([1, 2, 4, 8, 16, 32, 64], options, (count) =>
      withServer(options, async (server) => {
        await server.configure("producers");
        const none = undefined;
        const hundreds = await server.add("producers", scaled(50_000, options.scale), none, { producers: count });
        const few = scaled(5_000, options.scale);
        const single = await server.add("producers", few, none, { producers: count, batch: 1 });
        return { hundreds, single };
      }),
    );
  },
  shortfalls: () => [],
};
