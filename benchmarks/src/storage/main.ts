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
import { naive } from "./naive.ts";
import { seeded } from "./seeded.ts";

const { values } = parseArgs({
  options: { scale: { type: "string", default: "1" }, only: { type: "string" }, json: { type: "string" } },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale must be over 0 and at most 1");

const folder = mkdtempSync(join(process.env["TQ_BENCH_DIR"] ?? tmpdir(), "tq-bench-"));
const results: { readonly name: string; readonly result: CaseResult }[] = [];
try {
  const reference = naive(join(folder, "naive.db"), 300_000 * scale, 500);
  print("one naive table, for reference", reference.add, reference.drain);
  for (const { name, batch, reference: target, behind, run } of cases) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    const store = new SqliteStore({ path: join(folder, `${results.length}.db`), random: seeded(1) });
    const result = await run(store, batch, scale);
    await store.close();
    results.push({ name, result });
    const plain = results.find((one) => one.name === behind)?.result.drain.perSecond;
    print(
      name,
      result.add.perSecond,
      result.drain.perSecond,
      target &&
        `${percent(result.add.perSecond, target.add)} and ${percent(result.drain.perSecond, target.drain)} of the design's table`,
      plain && `${percent(result.drain.perSecond, plain)} of "${behind}"`,
      `${result.add.cpuMicroseconds} and ${result.drain.cpuMicroseconds} µs of CPU a task`,
      `slowest commits ${result.add.slowestCommitMs} and ${result.drain.slowestCommitMs} ms`,
      result.describeMicroseconds && `describe ${result.describeMicroseconds} µs`,
    );
  }
  if (values.json !== undefined) {
    mkdirSync(dirname(values.json), { recursive: true });
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
    writeFileSync(values.json, `${JSON.stringify({ machine, scale, naive: reference, results }, undefined, 2)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function print(name: string, add: number, drain: number, ...notes: readonly (string | number | undefined)[]): void {
  const said = notes.filter((note) => typeof note === "string");
  const rates = `${add.toLocaleString("en").padStart(9)} add/s ${drain.toLocaleString("en").padStart(9)} claim and complete/s`;
  console.log([name.padEnd(52), rates, ...said].join("  "));
}

function percent(value: number, of: number): string {
  return `${Math.round((100 * value) / of)} %`;
}
