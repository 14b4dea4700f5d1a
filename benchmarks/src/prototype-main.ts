/*
 * pnpm bench:prototype: tq beside a bare prototype of adding, polling and completing. The design's reference figures are such a
 * prototype's, measured on another machine; run beside tq, it says what they are here just now.
 */
import { commandLine, numberOf } from "./command-line.ts";
import { prototypes } from "./contenders/prototype.ts";
import { tqContenders } from "./contenders/tq.ts";
import { provenance } from "./machine/machine.ts";
import { stolenLines } from "./table/disturbed.ts";
import { resultFile, writeResult } from "./table/result-file.ts";
import { playRounds } from "./table/rounds.ts";
import { runOnce } from "./table/run-once.ts";
import { tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { durabilityLines, measuredTable, ratioTable } from "./table/text.ts";
import { roundsLine } from "./table/time-limit.ts";

const usage = `usage: pnpm bench:prototype [OPTION...]
Measures tq and a bare prototype of adding, polling and completing, which promises nothing else, in turn.

  --rounds N    rounds; each is a run of tq and of both kinds of the prototype's worker (default 5: 3 minutes)
  --warm-ups N  how often the table's warm-up is played before (default 1). V8 has compiled all of tq after some ten, of 5 s each:
                what servers and clients do that have been at work for a minute
  --save        keeps what was measured as benchmarks/results/prototype.json, with more than one warm-up as prototype-warm.json

A run of which the host took more than 5 % of the processor time is played again at the end, while there is time.
Files are put into TQ_BENCH_DIR, or among the temporary ones.`;

const { rounds, warmUps, save } = commandLine(
  usage,
  {
    rounds: { type: "string", default: "5" },
    "warm-ups": { type: "string", default: "1" },
    save: { type: "boolean", default: false },
  },
  (values) => ({
    rounds: numberOf("--rounds", values.rounds, { least: 1, isWhole: true }),
    warmUps: numberOf("--warm-ups", values["warm-ups"], { least: 1, most: 100, isWhole: true }),
    save: values.save,
  }),
);
const contenders = [...tqContenders().slice(0, 1), ...prototypes];
const warmUp = Array.from({ length: warmUps }, () => warmUpScenarios).flat();
const options = { warmUp, scenarios: tableScenarios };
const measured = await playRounds(contenders, {
  rounds,
  run: (contender) => runOnce(contender, options),
  progress: (line) => console.error(line),
});
console.log(
  [
    `Measured behind ${warmUps} warm-up${warmUps > 1 ? "s" : ""} (median, smallest to largest):`,
    measuredTable(measured.contenders),
    "",
    "tq beside it, as a factor (over 1: tq is better):",
    ratioTable(measured.contenders),
    "",
    ...durabilityLines(measured.contenders),
    "",
    roundsLine(measured, rounds),
    ...stolenLines(measured.contenders),
  ].join("\n"),
);
const failures = measured.contenders.flatMap(({ name, failures }) => failures.map((failure) => `${name}: ${failure}`));
for (const failure of failures) console.log(`FAILED ${failure}`);
if (save) {
  writeResult(resultFile(warmUps > 1 ? "prototype-warm" : "prototype"), {
    ...provenance(new Date()),
    warmUps,
    ...measured,
  });
}
process.exitCode = failures.length > 0 ? 1 : 0;
