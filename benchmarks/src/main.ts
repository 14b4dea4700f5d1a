/*
 * pnpm bench [--rounds N] [--only COLUMNS] [--profile FOLDER]: measures tq. See README.md.
 */
import { parseArgs } from "node:util";
import { tqContenders } from "./contenders/tq.ts";
import { runOnce } from "./table/run-once.ts";
import { tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { spreadsOf } from "./table/statistics.ts";
import { spreadLines } from "./table/text.ts";

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: { rounds: { type: "string", default: "3" }, only: { type: "string" }, profile: { type: "string" } },
});
const profiling = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
const kinds = values.only?.split(",");
const scenarios = tableScenarios.filter(({ kind }) => kinds === undefined || kinds.includes(kind));
if (scenarios.length === 0) {
  throw new Error(`--only takes some of ${tableScenarios.map(({ kind }) => kind).join(",")}`);
}
for (const contender of tqContenders(profiling)) {
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    rounds.push(await runOnce(contender, { warmUp: warmUpScenarios, scenarios, clientNodeArgs: profiling }));
  }
  console.log(`${contender.name}: ${contender.durability}`);
  for (const line of spreadLines(spreadsOf(rounds))) console.log(line);
}
