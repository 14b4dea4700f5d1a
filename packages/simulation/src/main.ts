/* pnpm simulate --seed N --steps M: plays one run, or a range of them, and says which go wrong. */
import { parseCommandLine } from "./command-line.ts";
import { report } from "./report.ts";
import { hashOf } from "./history.ts";
import { simulate } from "./simulate.ts";

const { seeds, steps } = parseCommandLine(process.argv.slice(2));
for (const seed of seeds) {
  const result = await simulate({ seed, steps });
  if (result.violations.length > 0) {
    process.stdout.write(`${report(result, steps)}\n`);
    process.exitCode = 1;
  } else if (seeds.length === 1) {
    process.stdout.write(`seed ${seed}: all is well; ${result.history.length} entries, ${hashOf(result.history)}\n`);
  }
}
if (seeds.length > 1 && process.exitCode !== 1) process.stdout.write(`${seeds.length} seeds: all is well\n`);
