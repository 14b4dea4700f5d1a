import { expect, test } from "vitest";
import { plotSvg } from "../dist/growth/plot.js";
import { growthScenarios } from "../dist/growth/scenarios/all.js";

test.each(growthScenarios.map((scenario) => [scenario.name, scenario] as const))(
  "%s has a value for each series at each point, and a plot",
  { timeout: 60_000 },
  async (_, scenario) => {
    const { title, xTitle, series } = scenario;
    const points = await scenario.measure({
      scale: 0.001,
      churnMinutes: 0,
      limitMs: 60_000,
      mostPoints: 2,
      progress: () => {},
    });
    expect(points.length).toBeGreaterThan(1);
    for (const { x, values } of points) {
      for (const { key } of series) {
        // Where the machine has no /proc, memory and processor time are not told.
        if (process.platform === "linux" || !/^memory|CpuUs$/.test(key))
          expect(values[key], `${key} at ${x}`).not.toBeNaN();
      }
    }
    const svg = plotSvg({ title, xTitle, series, points });
    for (const { title: panel } of series) expect(svg).toContain(`>${panel},`);
  },
);
