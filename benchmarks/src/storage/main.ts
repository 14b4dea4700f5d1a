/*
 * The storage table: pnpm bench:storage; --help says what it takes.
 * Every row is measured through the storage contract, with fsync, in a file of its own.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { SqliteStore } from "@tq/storage-sqlite";
import { commandLine, numberOf } from "../command-line.ts";
import { tqDurability } from "../contenders/tq.ts";
import { benchFolder } from "../machine/bench-folder.ts";
import { cases, type CaseResult } from "./cases.ts";
import { measureReference, referenceDurability, type Speed } from "./reference.ts";
import type { Rate } from "./store-bench.ts";
import { seeded } from "./seeded.ts";

const usage = `usage: pnpm bench:storage [OPTION...]
The table of the data model, and heads of a million tasks that nobody may take, through the storage contract with fsync.

  --scale F     share of the tasks, over 0 to 1 (default 1: some minutes)
  --only TEXT   rows whose name has this text; "A|B": either
  --json FILE   writes what was measured there

Files are put into TQ_BENCH_DIR, or among the temporary ones.`;

const { scale, only, json } = commandLine(
  usage,
  { scale: { type: "string", default: "1" }, only: { type: "string" }, json: { type: "string" } },
  (values) => ({ ...values, scale: numberOf("--scale", values.scale, { least: Number.MIN_VALUE, most: 1 }) }),
);

/**
 * What the design asks of each row: no less than two thirds of its table, which was measured on another machine; half of
 * the plain counterpart of a blocked head, by CPU time, which a busy disk changes least. Where a machine is slower than
 * that one, the reference measured beside the row stands for the table.
 */
const asked = { ofTable: 2 / 3, ofPlain: 1 / 2, slowestCommitMs: 50 };

interface Row {
  readonly name: string;
  readonly reference?: { readonly add: Speed; readonly drain: Speed };
  readonly result: CaseResult;
}

/** What was on disk as a commit was waited for. */
const durability = { tq: tqDurability, reference: referenceDurability };

const folder = benchFolder();
const rows: Row[] = [];
const shortfalls: string[] = [];
try {
  for (const { name, batch, table, reference: shape, behind, run } of cases) {
    if (only?.split("|").some((text) => name.includes(text)) === false) continue;
    const reference =
      shape &&
      measureReference(join(folder.path, `reference-${rows.length}.db`), {
        ...shape,
        batch,
        count: shape.count * scale,
        drained: shape.drained * scale,
      });
    const path = join(folder.path, `${rows.length}.db`);
    const checkpointFailed = (why: string): void => console.error(`${name}: a checkpoint failed: ${why}`);
    // With the thread that it has in a server.
    const store = new SqliteStore({ path, random: seeded(1), checkpointFailed });
    const result = await run({ store, batch, scale, bytesOnDisk: () => sizeOf(path) + sizeOf(`${path}-wal`) });
    await store.close();
    const plain = rows.find((one) => one.name === behind);
    rows.push({ name, ...(reference && { reference }), result });
    const { add, drain } = result;
    const notes = [
      `${add.cpuMicroseconds} and ${drain.cpuMicroseconds} µs of CPU a task`,
      `slowest commits ${add.slowestCommitMs} and ${drain.slowestCommitMs} ms`,
    ];
    const ofTable = table === undefined ? [] : [add.perSecond / table.add, drain.perSecond / table.drain];
    if (ofTable.length > 0) notes.push(`${ofTable.map(percent).join(" and ")} of the design's table`);
    const ofReference = reference === undefined ? [] : [faster(add, reference.add), faster(drain, reference.drain)];
    if (reference !== undefined) {
      const cpu = [
        reference.add.cpuMicroseconds / add.cpuMicroseconds,
        reference.drain.cpuMicroseconds / drain.cpuMicroseconds,
      ];
      const rates = [reference.add, reference.drain].map(({ perSecond }) => perSecond.toLocaleString("en"));
      notes.push(
        `${ofReference.map(percent).join(" and ")} of the bare reference here (${rates.join(" and ")}), by CPU time ${cpu.map(percent).join(" and ")}`,
      );
    }
    if (table !== undefined) {
      const best = ofTable.map((share, i) => Math.max(share, ofReference[i] ?? 0));
      if (Math.min(...best) < asked.ofTable) shortfalls.push(`${name}: less than two thirds of the design's table`);
    }
    if (plain !== undefined) {
      const share = plain.result.drain.cpuMicroseconds / drain.cpuMicroseconds;
      notes.push(`${percent(share)} of "${plain.name}"`);
      if (share < asked.ofPlain) shortfalls.push(`${name}: less than half of "${plain.name}"`);
      if (drain.slowestCommitMs > asked.slowestCommitMs) shortfalls.push(`${name}: a commit took over 50 ms`);
    }
    if (result.describeMicroseconds !== undefined) notes.push(`describe ${result.describeMicroseconds} µs`);
    if (result.bytesOnDisk !== undefined)
      notes.push(`${Math.round(result.bytesOnDisk / add.tasks)} bytes on disk a task`);
    print(name, add.perSecond, drain.perSecond, notes);
  }
  if (json !== undefined) {
    mkdirSync(dirname(json), { recursive: true });
    const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
    writeFileSync(json, `${JSON.stringify({ machine, commit, durability, scale, rows, shortfalls }, undefined, 2)}\n`);
  }
} finally {
  folder.remove();
}
for (const shortfall of shortfalls) console.log(`SHORT: ${shortfall}`);
process.exitCode = shortfalls.length === 0 ? 0 : 1;

function print(name: string, add: number, drain: number, notes: readonly string[]): void {
  const rates = `${add.toLocaleString("en").padStart(9)} add/s ${drain.toLocaleString("en").padStart(9)} claim and complete/s`;
  console.log([name.padEnd(52), rates, ...notes].join("  "));
}

/** How many times as many tasks a second as the reference. */
function faster(row: Rate, { perSecond }: Speed): number {
  return row.perSecond / perSecond;
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
