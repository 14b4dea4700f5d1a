/*
 * The storage table: node benchmarks/dist/storage/main.js [--scale F] [--only TEXT] [--json FILE]
 * Every row is measured through the storage contract, with fsync, in a file of its own.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { SqliteStore } from "@tq/storage-sqlite";
import { cases, type CaseResult } from "./cases.ts";
import { naive, type Speed } from "./naive.ts";
import type { Rate } from "./store-bench.ts";
import { seeded } from "./seeded.ts";

const { values } = parseArgs({
  options: { scale: { type: "string", default: "1" }, only: { type: "string" }, json: { type: "string" } },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale must be over 0 and at most 1");

/**
 * What the design asks of each row: no less than two thirds of its table, half of the plain counterpart of a blocked head,
 * and no commit over 50 ms there. Its table was measured on a machine whose naive table came to this; rows of another
 * machine are compared by the naive table measured just before each.
 */
const asked = { ofTable: 2 / 3, ofPlain: 1 / 2, slowestCommitMs: 50, naive: { add: 260_000, drain: 156_000 } };

interface Row {
  readonly name: string;
  readonly naive: { readonly add: Speed; readonly drain: Speed };
  readonly result: CaseResult;
}

const folder = mkdtempSync(join(process.env["TQ_BENCH_DIR"] ?? tmpdir(), "tq-bench-"));
const rows: Row[] = [];
const shortfalls: string[] = [];
try {
  for (const { name, batch, reference, behind, run } of cases) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    const calibration = naive(join(folder, `naive-${rows.length}.db`), 100_000, 500);
    const store = new SqliteStore({ path: join(folder, `${rows.length}.db`), random: seeded(1) });
    const result = await run(store, batch, scale);
    await store.close();
    const plain = rows.find((one) => one.name === behind);
    rows.push({ name, naive: calibration, result });
    const { add, drain } = result;
    const notes = [
      `naive ${calibration.add.cpuMicroseconds} and ${calibration.drain.cpuMicroseconds} µs`,
      `${add.cpuMicroseconds} and ${drain.cpuMicroseconds} µs of CPU a task`,
      `slowest commits ${add.slowestCommitMs} and ${drain.slowestCommitMs} ms`,
    ];
    if (reference !== undefined) {
      const shares = [add.perSecond / reference.add, drain.perSecond / reference.drain] as const;
      const calibrated = [
        shareByCpu(add, calibration.add, reference.add, asked.naive.add),
        shareByCpu(drain, calibration.drain, reference.drain, asked.naive.drain),
      ];
      notes.push(
        `${shares.map(percent).join(" and ")} of the design's table, calibrated ${calibrated.map(percent).join(" and ")}`,
      );
      if (Math.min(...calibrated) < asked.ofTable)
        shortfalls.push(`${name}: less than two thirds of the design's table`);
    }
    if (plain !== undefined) {
      const share = plain.result.drain.cpuMicroseconds / drain.cpuMicroseconds;
      notes.push(`${percent(share)} of "${plain.name}"`);
      if (share < asked.ofPlain) shortfalls.push(`${name}: less than half of "${plain.name}"`);
      if (drain.slowestCommitMs > asked.slowestCommitMs) shortfalls.push(`${name}: a commit took over 50 ms`);
    }
    if (result.describeMicroseconds !== undefined) notes.push(`describe ${result.describeMicroseconds} µs`);
    print(name, add.perSecond, drain.perSecond, notes);
  }
  if (values.json !== undefined) {
    mkdirSync(dirname(values.json), { recursive: true });
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
    writeFileSync(values.json, `${JSON.stringify({ machine, scale, rows, shortfalls }, undefined, 2)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
for (const shortfall of shortfalls) console.log(`SHORT: ${shortfall}`);
process.exitCode = shortfalls.length === 0 ? 0 : 1;

function print(name: string, add: number, drain: number, notes: readonly string[]): void {
  const rates = `${add.toLocaleString("en").padStart(9)} add/s ${drain.toLocaleString("en").padStart(9)} claim and complete/s`;
  console.log([name.padEnd(52), rates, ...notes].join("  "));
}

/**
 * The share of a rate of the design's table, had its machine been this one: by CPU time, which a busy disk or a busy
 * neighbour changes least.
 */
function shareByCpu(row: Rate, here: Speed, reference: number, naiveThere: number): number {
  const timesSlowerThanNaive = row.cpuMicroseconds / here.cpuMicroseconds;
  return naiveThere / reference / timesSlowerThanNaive;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
