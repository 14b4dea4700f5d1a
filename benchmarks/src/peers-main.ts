/*
 * pnpm bench:peers [--rounds N] [--only NAMES] [--save]: tq and its peers, in turn, on this machine. See README.md.
 */
import { parseArgs } from "node:util";
import { installPeerPackages } from "./contenders/peer-packages.ts";
import { allPeers, installCommand, isInstalled } from "./contenders/peers.ts";
import { tqContenders } from "./contenders/tq.ts";
import { provenance } from "./machine/machine.ts";
import { verdicts } from "./table/musts.ts";
import { resultFile, writeResult } from "./table/result-file.ts";
import { playRounds } from "./table/rounds.ts";
import { tableScenarios, warmUpScenarios } from "./table/scenarios.ts";
import { durabilityLines, measuredTable, ratioTable } from "./table/text.ts";

const { values } = parseArgs({
  // pnpm hands its own separator on.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    save: { type: "boolean", default: false },
  },
});
installPeerPackages();
const peers = allPeers();
const command = installCommand(peers);
const contenders = [...tqContenders(), ...peers.filter(isInstalled)].filter(
  ({ name }) => values.only === undefined || values.only.split(",").includes(name),
);
const options = { warmUp: warmUpScenarios, scenarios: tableScenarios };
const measured = await playRounds(contenders, Number(values.rounds), options, (line) => console.error(line));
const judged = verdicts(measured.contenders);
console.log(
  [
    "Measured (median, smallest to largest):",
    measuredTable(measured.contenders),
    "",
    "How many times better tq is:",
    ratioTable(measured.contenders),
    "",
    ...durabilityLines(measured.contenders),
    "",
    ...judged.map(({ text }) => text),
  ].join("\n"),
);
for (const { name, failures } of measured.contenders) {
  for (const failure of failures) console.log(`FAILED ${name}: ${failure}`);
}
if (command !== undefined) console.log(`Not measured, since their servers are not installed: ${command}`);
if (values.save) writeResult(resultFile("peers"), { ...provenance(new Date()), ...measured });
const isShort = judged.some(({ isGoal, isReached }) => !isGoal && isReached === false);
process.exitCode = isShort || measured.contenders.some(({ failures }) => failures.length > 0) ? 1 : 0;
