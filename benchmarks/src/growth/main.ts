/*
 * pnpm bench:growth: how cost grows. See README.md; --help says what it takes.
 * Each scenario is played in a process of its own (play-scenario.ts), and kept as it ends.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandLine, namesOf, numberOf } from "../command-line.ts";
import { tqDurability } from "../contenders/tq.ts";
import { provenance } from "../machine/machine.ts";
import { playApart } from "./play-apart.ts";
import { plotSvg } from "./plot.ts";
import { resultText } from "./result-text.ts";
import { figuresText } from "./scenario.ts";
import { growthScenarios } from "./scenarios/all.ts";

const names = growthScenarios.map(({ name }) => name);
const usage = `usage: pnpm bench:growth [OPTION...]
How cost grows, in scenarios; says where one is short of what is asked of it. Churn is played last.

  --only NAMES         some scenarios, separated by commas
  --scale F            share of the tasks, over 0 to 1 (default 1)
  --churn-minutes M    churn goes on for at least so long (default 15), and until 50 million tasks at that scale are through
  --within MINUTES     all is over by then (default 60): churn ends early, what else takes too long is ended
  --save               keeps figures and a plot of each in benchmarks/results/growth, as it ends

Scenarios: ${names.join(", ")}
It fails if one is short, or fails; the others are played all the same. Files are put into TQ_BENCH_DIR, or among the temporary
ones: full scale needs 8 GiB, and 10,000 waiting polls a limit of open files (ulimit -n) above that.`;

const { only, scale, churnMinutes, within, save } = commandLine(
  usage,
  {
    only: { type: "string" },
    scale: { type: "string", default: "1" },
    "churn-minutes": { type: "string", default: "15" },
    within: { type: "string", default: "60" },
    save: { type: "boolean", default: false },
  },
  (values) => ({
    only: values.only === undefined ? names : namesOf("--only", values.only, names),
    scale: numberOf("--scale", values.scale, { least: Number.MIN_VALUE, most: 1 }),
    churnMinutes: numberOf("--churn-minutes", values["churn-minutes"]),
    within: numberOf("--within", values.within, { least: 1 }),
    save: values.save,
  }),
);

// dist/growth is two folders below the package.
const folder = fileURLToPath(new URL("../../results/growth", import.meta.url));
const endsAt = performance.now() + 60_000 * within;
let isWell = true;
console.log(`durability: ${tqDurability}`);
for (const { name, title, xTitle, series, shortfalls, isTimed } of growthScenarios) {
  if (!only.includes(name)) continue;
  console.log(`${name}: ${title}`);
  const sinceMs = performance.now();
  // Those that take their time leave what they are to have to the last one, which takes what is left.
  const reservedMs = isTimed === true || !only.includes("churn") ? 0 : 60_000 * churnMinutes;
  const limitMs = Math.max(1_000, endsAt - reservedMs - sinceMs);
  const order = { scenario: name, scale, churnMinutes, limitMs };
  const { points, failure } = await playApart(order, limitMs, (point) => console.log(`  ${figuresText(point)}`));
  if (failure !== undefined) console.log(`  FAILED ${failure}`);
  const short = failure === undefined ? shortfalls(points, scale) : [];
  for (const shortfall of short) console.log(`  SHORT ${shortfall}`);
  const seconds = Math.round((performance.now() - sinceMs) / 1_000);
  console.log(`  ${seconds} s`);
  isWell &&= failure === undefined && short.length === 0;
  if (!save || points.length === 0) continue;
  mkdirSync(folder, { recursive: true });
  const failed = failure === undefined ? {} : { failure };
  const result = { ...provenance(new Date()), durability: tqDurability, scale, seconds, ...failed, shortfalls: short };
  writeFileSync(`${folder}/${name}.json`, resultText(result, points));
  writeFileSync(`${folder}/${name}.svg`, plotSvg({ title, xTitle, series, points }));
}
process.exitCode = isWell ? 0 : 1;
