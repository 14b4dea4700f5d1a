import { callAtOnce } from "../../table/callers.ts";
import { stampedPayload } from "../../table/adapter.ts";
import { benchType, withServer } from "../bench-server.ts";
import { type GrowthScenario, type Point, pointOf, scaled, valuesOf } from "../scenario.ts";

/** Days of work. */
const allTasks = 50_000_000;
/** As many wait at most. */
const maxWaiting = 20_000;
const batch = 100;
/** How long it takes to come to an end. */
const endingMs = 15_000;
/** By then the first answers that are kept for request ids, which is for ten minutes, have gone: as many come as go. */
const settledAfterMinutes = 11;
/** How much larger file and memory may be in the last tenth than they were until then; of a shorter run, in its first tenth. */
const asked = { growth: 1.25 };

/** Days of work through one file, added as fast as they are handled: what is left behind would add up. */
export const churn: GrowthScenario = {
  name: "churn",
  title: "Churn through one file",
  xTitle: "tasks added and handled",
  isTimed: true,
  series: [
    { key: "perSecond", title: "added and handled", unit: "tasks/s" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
    { key: "dataMiB", title: "server's files", unit: "MiB" },
  ],
  async measure(options) {
    const { churnMinutes, limitMs, scale, progress, mostPoints } = options;
    const sinceMs = performance.now();
    return withServer(options, async (server) => {
      const queue = "churn";
      await server.configure(queue);
      const tasks = scaled(allTasks, scale);
      const step = Math.ceil(tasks / Math.min(200, mostPoints));
      const points: Point[] = [];
      let added = 0;
      let handled = 0;
      let pointAtMs = performance.now();
      const waiters: (() => void)[] = [];
      const workers = await server.work(queue, {}, () => {
        handled++;
        if (added - handled < maxWaiting) waiters.pop()?.();
        if (handled % step !== 0) return;
        const nowMs = performance.now();
        const minutes = (nowMs - sinceMs) / 60_000;
        const perSecond = (1_000 * step) / (nowMs - pointAtMs);
        const values = { perSecond, memoryMiB: server.residentMiB(), dataMiB: server.dataMiB(), minutes };
        points.push(pointOf(handled, values, progress));
        pointAtMs = performance.now();
      });
      const isOver = (): boolean => {
        const elapsedMs = performance.now() - sinceMs;
        if (elapsedMs > limitMs - endingMs) return true;
        return handled >= tasks && elapsedMs >= 60_000 * churnMinutes;
      };
      const room = (): Promise<void> | undefined =>
        added - handled < maxWaiting ? undefined : new Promise((resolve) => void waiters.push(resolve));
      await callAtOnce(10, Infinity, () => {
        if (isOver()) return false;
        const waiting = room();
        if (waiting !== undefined) return waiting;
        added += batch;
        const newTask = () => ({ taskQueue: queue, type: benchType, args: [stampedPayload()] });
        return server.client.tasks.addMany(Array.from({ length: batch }, newTask));
      });
      await workers.stop();
      return points;
    });
  },
  shortfalls(points, scale) {
    const tenth = Math.ceil(points.length / 10);
    const settled = valuesOf(points, "minutes").filter((minutes) => minutes <= settledAfterMinutes).length;
    const early = settled < points.length - tenth ? Math.max(settled, tenth) : tenth;
    const grown = ["memoryMiB", "dataMiB"].flatMap((key) => {
      const values = valuesOf(points, key);
      const before = Math.max(...values.slice(0, early + 1));
      const late = Math.max(...values.slice(-tenth - 1));
      return late <= asked.growth * before ? [] : [`${key} grows from ${before.toFixed(0)} to ${late.toFixed(0)}`];
    });
    const handled = Number(points.at(-1)?.x.replaceAll(",", "") ?? 0);
    const tasks = scaled(allTasks, scale);
    const few = `${handled.toLocaleString("en")} tasks were through as the time was over, ${tasks.toLocaleString("en")} asked`;
    return handled >= tasks ? grown : [...grown, few];
  },
};
