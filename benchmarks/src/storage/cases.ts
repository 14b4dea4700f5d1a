/* The table of the design's data model, and the heads that nobody may take, as data. */
import type { Store } from "@tq/storage";
import { benchTask, queue, StoreBench, type Rate } from "./store-bench.ts";

/** What one case came to. */
export interface CaseResult {
  readonly add: Rate;
  readonly drain: Rate;
  /** Of describing the queue, where that is what is measured. */
  readonly describeMicroseconds?: number;
}

/** One row of the table. Rates per second; `reference` is what the design measured with a bare prototype. */
export interface Case {
  readonly name: string;
  readonly batch: number;
  readonly reference?: { readonly add: number; readonly drain: number };
  /** Its plain counterpart, of which no less than half must be left. */
  readonly behind?: string;
  /** @param scale 1: as in the table; less: fewer tasks, for a quick look */
  readonly run: (store: Store, batch: number, scale: number) => Promise<CaseResult>;
}

const tasks = 300_000;
const tenTypes = Array.from({ length: 10 }, (_, i) => `t${i}`);

function plain(key: (i: number) => string, type: (i: number) => string, count: number, types: readonly string[]) {
  return async (store: Store, batch: number, scale: number): Promise<CaseResult> => {
    const bench = await StoreBench.open(store, batch);
    const add = await bench.add(count * scale, (i) => benchTask(i, { fairnessKey: key(i), type: type(i) }));
    const drain = await bench.drain(tasks * scale, types);
    return { add, drain };
  };
}

const spread = (i: number): string => `k${(i * 7_919) % 10_000}`;
const behind = (i: number): string => `k${i % 100}`;

/** A million tasks that nobody may take, at the head; then the others are measured. */
function blocked(head: (i: number) => Parameters<typeof benchTask>[1], limits: object, types: readonly string[]) {
  return async (store: Store, batch: number, scale: number): Promise<CaseResult> => {
    const bench = await StoreBench.open(store, batch);
    await bench.configure(limits);
    await bench.add(1_000_000 * scale, (i) => benchTask(i, head(i)));
    // One of a busy serial key is at work meanwhile, and a throttled key has used up its burst.
    await bench.claim(types, []);
    const add = await bench.add(tasks * scale, (i) => benchTask(1_000_000 + i, { fairnessKey: behind(i) }));
    const drain = await bench.drain(tasks * scale, types);
    return { add, drain };
  };
}

const one = "one key";
const hundred = "100 keys";

/** The cases, in the order of the table. */
export const cases: readonly Case[] = [
  {
    name: one,
    batch: 500,
    reference: { add: 217_000, drain: 144_000 },
    run: plain(
      () => "",
      () => "t",
      tasks,
      ["t"],
    ),
  },
  {
    name: "one key, 100 a commit",
    batch: 100,
    reference: { add: 168_000, drain: 110_000 },
    run: plain(
      () => "",
      () => "t",
      tasks,
      ["t"],
    ),
  },
  { name: hundred, batch: 500, run: plain(behind, () => "t", tasks, ["t"]) },
  {
    name: "10,000 keys",
    batch: 500,
    reference: { add: 145_000, drain: 138_000 },
    run: plain(spread, () => "t", tasks, ["t"]),
  },
  {
    name: "a million keys with one task each",
    batch: 500,
    reference: { add: 37_000, drain: 131_000 },
    run: plain(
      (i) => `k${(i * 7_919) % 1_000_003}`,
      () => "t",
      1_000_000,
      ["t"],
    ),
  },
  {
    name: "20 types of which the worker has 10",
    batch: 500,
    reference: { add: 160_000, drain: 111_000 },
    run: plain(
      () => "",
      (i) => `t${i % 20}`,
      2 * tasks,
      tenTypes,
    ),
  },
  {
    name: "20 types of which the worker has 10, 10,000 keys",
    batch: 500,
    reference: { add: 118_000, drain: 113_000 },
    run: plain(spread, (i) => `t${(i * 31 + Math.floor(i / 10_000)) % 20}`, 2 * tasks, tenTypes),
  },
  {
    name: "a throttled key with a million tasks at the head",
    batch: 500,
    reference: { add: 109_000, drain: 79_000 },
    behind: hundred,
    run: blocked(
      () => ({ fairnessKey: "A" }),
      {
        fairnessKeys: new Map([["A", { ratePerSecond: 10, burst: 10 }]]),
      },
      ["t"],
    ),
  },
  {
    name: "a saturated key with a million tasks at the head",
    batch: 500,
    behind: hundred,
    run: blocked(() => ({ fairnessKey: "A" }), { fairnessKeys: new Map([["A", { maxStarted: 1 }]]) }, ["t"]),
  },
  {
    name: "a missing type with a million tasks at the head",
    batch: 500,
    behind: hundred,
    run: blocked(() => ({ fairnessKey: "A", type: "missing" }), {}, ["t"]),
  },
  {
    name: "a busy serial key with a million tasks at the head",
    batch: 500,
    behind: hundred,
    run: blocked(() => ({ fairnessKey: "A", serialKey: "busy" }), {}, ["t"]),
  },
  {
    name: "5 million ready, 100,000 keys, 20 types",
    batch: 500,
    reference: { add: 90_000, drain: 115_000 },
    run: async (store, batch, scale) => {
      const bench = await StoreBench.open(store, batch);
      const add = await bench.add(5_000_000 * scale, (i) =>
        benchTask(i, { fairnessKey: `k${i % 100_000}`, type: `t${i % 20}` }),
      );
      const times = 2_000;
      const begin = performance.now();
      for (let i = 0; i < times; i++) await store.describeTaskQueue(queue);
      const describeMicroseconds = Math.round(((performance.now() - begin) * 1_000) / times);
      const drain = await bench.drain(
        tasks * scale,
        Array.from({ length: 20 }, (_, i) => `t${i}`),
      );
      return { add, drain, describeMicroseconds };
    },
  },
];
