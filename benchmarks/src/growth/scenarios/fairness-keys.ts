import { withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach, scaledAll } from "../scenario.ts";

/** Tasks of many fairness keys, dealt out in turn. */
export const fairnessKeys: GrowthScenario = {
  name: "fairness-keys",
  title: "Many fairness keys",
  xTitle: "keys, over at least 100,000 tasks",
  series: [
    { key: "add", title: "adding", unit: "tasks/s" },
    { key: "drain", title: "draining 50,000 of them", unit: "tasks/s" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
  ],
  measure(options) {
    return measureEach(scaledAll([1, 1_000, 100_000, 1_000_000], options.scale), options, (keys) =>
      withServer(options, async (server) => {
        const queue = "keys";
        await server.configure(queue);
        const tasks = Math.max(keys, Math.round(100_000 * options.scale));
        const add = await server.add(queue, tasks, (index) => ({ fairnessKey: `key-${index % keys}` }));
        const { perSecond: drain } = await server.drain(queue, Math.min(tasks, 50_000));
        return { add, drain, memoryMiB: server.residentMiB() };
      }),
    );
  },
  shortfalls: () => [],
};
