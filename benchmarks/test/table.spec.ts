import { expect, test } from "vitest";
import { prototypes } from "../dist/contenders/prototype.js";
import { tqContenders } from "../dist/contenders/tq.js";
import { columns } from "../dist/table/columns.js";
import { runOnce } from "../dist/table/run-once.js";
import { tinyScenarios } from "../dist/table/scenarios.js";

test.each([...tqContenders(), ...prototypes])("every column of $name is measured", async (contender) => {
  const readings = await runOnce(contender, { warmUp: [], scenarios: tinyScenarios });
  // Where the machine has no /proc, what the server uses is not told.
  const measured = process.platform === "linux" ? Object.keys(columns) : Object.keys(readings);
  // So few tasks fit into the space that the server has set aside.
  for (const column of measured.filter((one) => one !== "diskBytes"))
    expect(readings).toHaveProperty(column, expect.any(Number));
  expect(readings.bulkAdd).toBeGreaterThan(0);
  expect(readings.drain).toBeGreaterThan(0);
  expect(readings.addAndDrain).toBeGreaterThan(0);
  expect(readings.idleMedianMs).toBeLessThanOrEqual(readings.idleP99Ms ?? 0);
  // The payload alone is 256 bytes, and travels twice.
  expect(readings.wireBytes).toBeGreaterThan(512);
});
