/*
 * pnpm bench:peers: tq and its peers, in turn, on this machine. See README.md; --help says what it takes.
 */
import { commandLine, numberOf } from "./command-line.ts";
import { installPeerPackages } from "./contenders/peer-packages.ts";
import { allPeers, installCommand, isInstalled } from "./contenders/peers.ts";
import { tqContenders } from "./contenders/tq.ts";
import { provenance } from "./machine/machine.ts";
import { stolenLines } from "./table/disturbed.ts";
import { verdicts } from "./table/musts.ts";
import { resultFile, writeResult } from "./table/result-file.ts";
import { playRounds } from "./table/rounds.ts";
import { runOnce } from "./table/run-once.ts";
import { tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { durabilityLines, measuredTable, ratioTable } from "./table/text.ts";
import { roundsLine } from "./table/time-limit.ts";

const usage = `usage: pnpm bench:peers [OPTION...]
Measures tq and each peer whose server is installed, in turn, and says where tq is ahead and where it is short.

  --rounds N     rounds; each is a run of every system (default 3: 12 to 14 minutes). None is begun that would pass 14 minutes
  --cold         without the warm-up: what new servers and clients do in their first seconds. Nothing is asked of tq then
  --only NAMES   some systems, by their names in the table, separated by commas, such as "tq,NATS JetStream"
  --save         keeps what was measured as benchmarks/results/peers.json, with --cold as peers-cold.json

A run of which the host took more than 5 % of the processor time is played again at the end, while there is time.
It fails if a must is short (but with --cold), or a run fails. Files are put into TQ_BENCH_DIR, or among the temporary ones.`;

const { rounds, cold, only, save } = commandLine(
  usage,
  {
    rounds: { type: "string", default: "3" },
    cold: { type: "boolean", default: false },
    only: { type: "string" },
    save: { type: "boolean", default: false },
  },
  (values) => ({
    rounds: numberOf("--rounds", values.rounds, { least: 1, isWhole: true }),
    cold: values.cold,
    only: values.only?.split(","),
    save: values.save,
  }),
);
installPeerPackages();
const peers = allPeers();
const command = installCommand(peers);
const contenders = [...tqContenders(), ...peers.filter(isInstalled)].filter(({ name }) => only?.includes(name) ?? true);
const options = { warmUp: cold ? [] : warmUpScenarios, scenarios: tableScenarios };
const measured = await playRounds(contenders, {
  rounds,
  run: (contender) => runOnce(contender, options),
  progress: (line) => console.error(line),
});
// What is asked of tq is asked of it once it is warm.
const judged = cold ? [] : verdicts(measured.contenders);
console.log(
  [
    `Measured${cold ? " without a warm-up" : ""} (median, smallest to largest):`,
    measuredTable(measured.contenders),
    "",
    "How many times better tq is:",
    ratioTable(measured.contenders),
    "",
    ...durabilityLines(measured.contenders),
    "",
    ...(cold ? [] : [...judged.map(({ text }) => text), ""]),
    roundsLine(measured, rounds),
    ...stolenLines(measured.contenders),
  ].join("\n"),
);
for (const { name, failures } of measured.contenders) {
  for (const failure of failures) console.log(`FAILED ${name}: ${failure}`);
}
if (command !== undefined) console.log(`Not measured, since their servers are not installed: ${command}`);
if (save) writeResult(resultFile(cold ? "peers-cold" : "peers"), { ...provenance(new Date()), ...measured });
const isShort = judged.some(({ isGoal, isReached }) => !isGoal && isReached === false);
process.exitCode = isShort || measured.contenders.some(({ failures }) => failures.length > 0) ? 1 : 0;
