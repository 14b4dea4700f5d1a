/*
 * pnpm bench [--rounds N] [--only KINDS] [--profile FOLDER] [--save]: measures tq, and compares it with the kept result.
 * See README.md.
 */
import { parseArgs } from "node:util";
import { tqContenders } from "./contenders/tq.ts";
import { provenance } from "./machine/machine.ts";
import { regressions } from "./table/regression.ts";
import { readResult, resultFile, writeResult } from "./table/result-file.ts";
import { rounded } from "./table/rounded.ts";
import { playRounds } from "./table/rounds.ts";
import { onlyKinds, tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { durabilityLines, measuredTable } from "./table/text.ts";

const { values } = parseArgs({
  // pnpm hands its own separator on.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    profile: { type: "string" },
    save: { type: "boolean", default: false },
  },
});
const profiling = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
const scenarios = values.only === undefined ? tableScenarios : onlyKinds(values.only.split(","));
const options = { warmUp: warmUpScenarios, scenarios, clientNodeArgs: profiling };
const measured = await playRounds(tqContenders(profiling), Number(values.rounds), options, (line) =>
  console.error(line),
);
const result = { ...provenance(new Date()), ...measured };
const { contenders, calibration } = measured;
console.log([measuredTable(contenders), "", ...durabilityLines(contenders)].join("\n"));
console.log(`Calibration: ${rounded(calibration.median)} batches of 100 encoded and fsynced a second.`);
for (const { name, failures } of contenders) for (const failure of failures) console.log(`FAILED ${name}: ${failure}`);

const file = resultFile("tq");
const kept = readResult(file);
// A profiler slows down what it looks at, and says nothing of what has become of it.
const worse = kept === undefined || profiling.length > 0 ? [] : regressions(measured, kept);
if (values.save) {
  writeResult(file, result);
  console.log(`Kept in ${file}`);
} else if (kept !== undefined) {
  console.log(`Compared with commit ${kept.commit ?? "unknown"} of ${kept.date}:`);
  for (const { text } of worse) console.log(`FELL  ${text}`);
  if (worse.length === 0) console.log("no column fell");
}
const isFailed = contenders.some(({ failures }) => failures.length > 0);
process.exitCode = isFailed || (worse.length > 0 && !values.save) ? 1 : 0;
