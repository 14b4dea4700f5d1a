import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "../contenders/tq-adapter.ts";
import { startTq } from "../contenders/tq.ts";
import { benchFolder } from "../machine/bench-folder.ts";
import { provenance } from "../machine/machine.ts";
import { type Call, callTree, idleName, longest } from "./call-tree.ts";
import { flameSvg } from "./flame-svg.ts";
import { type FlameSizes, flamePhases } from "./phases.ts";
import { ownProfiler, type Profiler, remoteProfiler } from "./profiler.ts";

/** Some seconds of each. */
export const flameSizes: FlameSizes = { backlog: 200_000, single: 3_000, atRateMs: 4_000 };

// dist/flame is two folders below the package, the package one below the root.
const rootUrl = new URL("../../../", import.meta.url).href;

/**
 * Profiles server and client in each phase; this process is the client. Writes a flame graph of each, and a table of the
 * functions that took most, into `folder`.
 */
export async function flameGraphs(folder: string, sizes: FlameSizes, progress: (line: string) => void): Promise<void> {
  const data = benchFolder();
  try {
    const server = await startTq(data.path, ["--inspect=127.0.0.1:0"]);
    try {
      const target = { host: server.host, port: server.port, settings: {} };
      const profilers = { server: await remoteProfiler(server.output()), client: await ownProfiler() };
      const summary: string[] = [];
      const warmUp = await connect({ ...target, queue: "warm-up" });
      for (const play of Object.values(flamePhases(warmUp, quarterOf(sizes)))) await play();
      await warmUp.close();

      const adapter = await connect({ ...target, queue: "flame" });
      mkdirSync(folder, { recursive: true });
      for (const [phase, play] of Object.entries(flamePhases(adapter, sizes))) {
        for (const [end, call] of Object.entries(await profiled(profilers, play))) {
          const name = `${phase}-${end}`;
          writeFileSync(`${folder}/${name}.svg`, flameSvg(name, call));
          summary.push(...table(name, call));
          progress(`${folder}/${name}.svg`);
        }
      }
      await adapter.close();
      for (const profiler of Object.values(profilers)) profiler.close();
      const { date, commit = "unknown", machine } = provenance(new Date());
      const head = `# Where the main threads spend their time\n\nMade by \`pnpm bench --flame\` at commit ${commit} on ${date}, ${machine.cores} × ${machine.cpu}, Node ${machine.node}. Shares of the busy time, in the function itself; \`(native)\` is SQLite wherever the storage engine calls it.\n`;
      writeFileSync(`${folder}/README.md`, `${[head, ...summary].join("\n")}`);
    } finally {
      await server.stop();
    }
  } finally {
    data.remove();
  }
}

async function profiled<Ends extends string>(
  profilers: Readonly<Record<Ends, Profiler>>,
  play: () => Promise<void>,
): Promise<Record<Ends, Call>> {
  const all = Object.entries<Profiler>(profilers);
  for (const [, profiler] of all) await profiler.start();
  await play();
  const calls = await Promise.all(
    all.map(async ([end, profiler]) => [end, callTree(await profiler.stop(), rootUrl)] as const),
  );
  return Object.fromEntries(calls) as Record<Ends, Call>;
}

function quarterOf({ backlog, single, atRateMs }: FlameSizes): FlameSizes {
  return { backlog: backlog / 4, single: single / 4, atRateMs: atRateMs / 4 };
}

function table(name: string, root: Call): string[] {
  const idle = root.calls.find((call) => call.name === idleName)?.total ?? 0;
  const busy = Math.max(1, root.total - idle);
  const rows = longest(root, 16)
    .filter((row) => row.name !== idleName)
    .slice(0, 15)
    .map((row) => `| ${((100 * row.self) / busy).toFixed(1)} % | \`${row.name.replaceAll("|", "\\|")}\` |`);
  const busyShare = ((100 * busy) / Math.max(1, root.total)).toFixed(0);
  return [
    `## [${name}](${name}.svg)\n`,
    `Busy for ${busyShare} % of the time.\n`,
    "| share | function |",
    "|---|---|",
    ...rows,
    "",
  ];
}
