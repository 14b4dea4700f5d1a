/*
 * pnpm bench: measures tq, and compares it with the kept result. See README.md; --help says what it takes.
 */
import { fileURLToPath } from "node:url";
import { commandLine, namesOf, numberOf, UsageError } from "./command-line.ts";
import { tqContenders } from "./contenders/tq.ts";
import { flameGraphs, flameSizes } from "./flame/flame-graphs.ts";
import { provenance } from "./machine/machine.ts";
import { stolenLines } from "./table/disturbed.ts";
import { regressions } from "./table/regression.ts";
import { fewestRoundsKept, readResult, resultFile, whyNotKept, writeResult } from "./table/result-file.ts";
import { rounded } from "./table/rounded.ts";
import { playRounds } from "./table/rounds.ts";
import { runOnce } from "./table/run-once.ts";
import { onlyKinds, scenarioKinds, tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { durabilityLines, measuredTable } from "./table/text.ts";
import { roundsLine } from "./table/time-limit.ts";

const usage = `usage: pnpm bench [OPTION...]
Measures tq as its users have it, and compares it with benchmarks/results/tq.json.

  --rounds N         rounds, each with a new server and a new client (default 5); none is begun that would pass 14 minutes
  --only KINDS       some scenarios, in their order, separated by commas: ${scenarioKinds.join(",")}
  --profile FOLDER   writes CPU profiles of server and client there; nothing is compared then
  --flame            makes the flame graphs of server and client anew, in benchmarks/results/profiles, and nothing else
  --save             keeps what was measured, in ${fewestRoundsKept} rounds or more, as benchmarks/results/tq.json

A run of which the host took more than 5 % of the processor time is played again at the end, but not with --profile.
It fails if a column fell by more than its tolerance. Files are put into TQ_BENCH_DIR, or among the temporary ones.`;

const { rounds, scenarios, profile, flame, save } = commandLine(
  usage,
  {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    profile: { type: "string" },
    flame: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
  },
  (values) => {
    const rounds = numberOf("--rounds", values.rounds, { least: 1, isWhole: true });
    if (values.save && rounds < fewestRoundsKept) {
      throw new UsageError(`--save keeps a result of ${fewestRoundsKept} rounds or more, not of ${rounds}`);
    }
    return {
      rounds,
      scenarios: values.only === undefined ? tableScenarios : onlyKinds(namesOf("--only", values.only, scenarioKinds)),
      profile: values.profile,
      flame: values.flame,
      save: values.save,
    };
  },
);
if (flame) {
  await flameGraphs(fileURLToPath(new URL("../results/profiles", import.meta.url)), flameSizes, (line) =>
    console.error(line),
  );
  process.exit(0);
}
const profiling = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
const options = { warmUp: warmUpScenarios, scenarios, clientNodeArgs: profiling };
const measured = await playRounds(tqContenders(profiling), {
  rounds,
  run: (contender) => runOnce(contender, options),
  // Of a run that is profiled two profiles would be left, and nothing to tell them apart.
  playsAgain: profiling.length === 0,
  progress: (line) => console.error(line),
});
const result = { ...provenance(new Date()), ...measured };
const { contenders, calibration } = measured;
console.log([measuredTable(contenders), "", ...durabilityLines(contenders)].join("\n"));
console.log([roundsLine(measured, rounds), ...stolenLines(contenders)].join("\n"));
console.log(`Calibration: ${rounded(calibration.median)} batches of 100 encoded and fsynced a second.`);
for (const { name, failures } of contenders) for (const failure of failures) console.log(`FAILED ${name}: ${failure}`);

const file = resultFile("tq");
const kept = readResult(file);
// A profiler slows down what it looks at, and says nothing of what has become of it.
const worse = kept === undefined || profiling.length > 0 ? [] : regressions(measured, kept);
const notKept = save ? whyNotKept(measured) : undefined;
if (notKept !== undefined) {
  console.log(`NOT KEPT  ${notKept}`);
} else if (save) {
  writeResult(file, result);
  console.log(`Kept in ${file}`);
} else if (kept !== undefined) {
  console.log(`Compared with commit ${kept.commit ?? "unknown"} of ${kept.date}:`);
  for (const { text } of worse) console.log(`FELL  ${text}`);
  if (worse.length === 0) console.log("no column fell");
}
const isFailed = notKept !== undefined || contenders.some(({ failures }) => failures.length > 0);
process.exitCode = isFailed || (worse.length > 0 && !save) ? 1 : 0;
