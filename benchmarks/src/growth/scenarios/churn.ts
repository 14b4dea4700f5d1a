import { withServer } from "../bench-server.ts";
import { type GrowthScenario, type Point, pointOf, valuesOf } from "../scenario.ts";

/** A point of the plot for every so many tasks: a backlog of that size comes and goes. */
const wave = 20_000;
/** How much larger file and memory may be at the end than when the first tenth is over. */
const asked = { growth: 1.25 };

/** Days of work, one wave after the other through one file: what is left behind would add up. */
export const churn: GrowthScenario = {
  name: "churn",
  title: "Churn through one file",
  xTitle: "tasks added and handled",
  series: [
    { key: "perSecond", title: "added and handled", unit: "tasks/s" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
    { key: "dataMiB", title: "server's files", unit: "MiB" },
  ],
  async measure(options) {
    const { churnMinutes, scale, progress } = options;
    return withServer(options, async (server) => {
      const queue = "churn";
      await server.configure(queue);
      const points: Point[] = [];
      const tasks = Math.max(100, Math.round(wave * scale));
      const endsAt = performance.now() + 60_000 * churnMinutes;
      for (let handled = 0; performance.now() < endsAt || points.length < 2;) {
        const sinceMs = performance.now();
        await Promise.all([server.add(queue, tasks), server.drain(queue, tasks)]);
        handled += tasks;
        const perSecond = (1_000 * tasks) / (performance.now() - sinceMs);
        const values = { perSecond, memoryMiB: server.residentMiB(), dataMiB: server.dataMiB() };
        points.push(pointOf(handled, values, points.length % 50 === 0 ? progress : () => {}));
      }
      return points;
    });
  },
  shortfalls(points) {
    const settled = Math.ceil(points.length / 10);
    return ["memoryMiB", "dataMiB"].flatMap((key) => {
      const values = valuesOf(points, key);
      const early = Math.max(...values.slice(0, settled + 1));
      const late = Math.max(...values.slice(-settled - 1));
      return late <= asked.growth * early ? [] : [`${key} grows from ${early.toFixed(0)} to ${late.toFixed(0)}`];
    });
  },
};
