/*
 * pnpm bench:growth [--only NAMES] [--scale F] [--churn-minutes M] [--save]: how cost grows. See README.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { provenance } from "../machine/machine.ts";
import { plotSvg } from "./plot.ts";
import { growthScenarios } from "./scenarios/all.ts";

const { values } = parseArgs({
  // pnpm hands its own separator on.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    only: { type: "string" },
    scale: { type: "string", default: "1" },
    "churn-minutes": { type: "string", default: "15" },
    save: { type: "boolean", default: false },
  },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale must be over 0 and at most 1");
const names = values.only?.split(",") ?? growthScenarios.map(({ name }) => name);
const unknown = names.find((name) => !growthScenarios.some((scenario) => scenario.name === name));
if (unknown !== undefined) {
  throw new Error(
    `there is no scenario ${unknown}: --only takes some of ${growthScenarios.map(({ name }) => name).join(",")}`,
  );
}

// dist/growth is two folders below the package.
const folder = fileURLToPath(new URL("../../results/growth", import.meta.url));
const churnMinutes = Number(values["churn-minutes"]);
const options = { scale, churnMinutes, mostPoints: Infinity, progress: (line: string) => console.log(line) };
let isShort = false;
for (const scenario of growthScenarios.filter(({ name }) => names.includes(name))) {
  const { name, title, xTitle, series } = scenario;
  console.log(`${name}: ${title}`);
  const points = await scenario.measure(options);
  const shortfalls = scenario.shortfalls(points);
  for (const shortfall of shortfalls) console.log(`  SHORT ${shortfall}`);
  isShort ||= shortfalls.length > 0;
  if (!values.save) continue;
  mkdirSync(folder, { recursive: true });
  const result = { ...provenance(new Date()), scale, points, shortfalls };
  const short = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(result, short, 2)}\n`);
  writeFileSync(`${folder}/${name}.svg`, plotSvg({ title, xTitle, series, points }));
}
process.exitCode = isShort ? 1 : 0;
