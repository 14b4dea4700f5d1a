/* The table of the design's data model, and the heads that nobody may take, as data. */
import type { Store } from "@tq/storage";
import type { ReferenceShape } from "./reference.ts";
import { benchTask, queue, StoreBench, type Rate } from "./store-bench.ts";

/** What one case came to. */
export interface CaseResult {
  readonly add: Rate;
  readonly drain: Rate;
  /** Of describing the queue, where that is what is measured. */
  readonly describeMicroseconds?: number;
  /** Of the file and its log, once everything was added. */
  readonly bytesOnDisk?: number;
}

/** What a case is run with. */
export interface Bench {
  readonly store: Store;
  readonly batch: number;
  /** 1: as in the table; less: fewer tasks, for a quick look. */
  readonly scale: number;
  /** Of the file and its log, now. */
  readonly bytesOnDisk: () => number;
}

/** One row of the table. Rates per second; `table` is what the design measured with a bare prototype. */
export interface Case {
  readonly name: string;
  readonly batch: number;
  readonly table?: { readonly add: number; readonly drain: number };
  /** The same for the reference, where it has what is measured. */
  readonly reference?: Omit<ReferenceShape, "batch">;
  /** Its plain counterpart, of which no less than half must be left. */
  readonly behind?: string;
  readonly run: (bench: Bench) => Promise<CaseResult>;
}

const tasks = 300_000;
const tenTypes = Array.from({ length: 10 }, (_, i) => `t${i}`);

/** Tasks with nothing special about them, which are then drained. */
function plain(shape: Omit<ReferenceShape, "batch" | "drained">): Pick<Case, "reference" | "run"> {
  const { count, key, type, types } = shape;
  return {
    reference: { ...shape, drained: tasks },
    run: async ({ store, batch, scale, bytesOnDisk }) => {
      const bench = await StoreBench.open(store, batch);
      const add = await bench.add(count * scale, (i) => benchTask(i, { fairnessKey: key(i), type: type(i) }));
      const bytes = bytesOnDisk();
      const drain = await bench.drain(tasks * scale, types);
      return { add, drain, bytesOnDisk: bytes };
    },
  };
}

const noKey = (): string => "";
const oneType = { type: () => "t", types: ["t"] };
const spread = (i: number): string => `k${(i * 7_919) % 10_000}`;
const behind = (i: number): string => `k${i % 100}`;

/** A million tasks that nobody may take, at the head; then the others are measured. */
function blocked(head: (i: number) => Parameters<typeof benchTask>[1], limits: object, types: readonly string[]) {
  return async ({ store, batch, scale }: Bench): Promise<CaseResult> => {
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
    table: { add: 217_000, drain: 144_000 },
    ...plain({ count: tasks, key: noKey, ...oneType }),
  },
  {
    name: "one key, 100 a commit",
    batch: 100,
    table: { add: 168_000, drain: 110_000 },
    ...plain({ count: tasks, key: noKey, ...oneType }),
  },
  {
    name: "one key, completed tasks kept for an hour",
    batch: 500,
    run: async ({ store, batch, scale, bytesOnDisk }) => {
      const bench = await StoreBench.open(store, batch);
      await bench.configure({ completedRetentionMs: 3_600_000 });
      const add = await bench.add(tasks * scale, (i) => benchTask(i));
      const drain = await bench.drain(tasks * scale, ["t"]);
      return { add, drain, bytesOnDisk: bytesOnDisk() };
    },
  },
  { name: hundred, batch: 500, ...plain({ count: tasks, key: behind, ...oneType }) },
  {
    name: "10,000 keys",
    batch: 500,
    table: { add: 145_000, drain: 138_000 },
    ...plain({ count: tasks, key: spread, ...oneType }),
  },
  {
    name: "a million keys with one task each",
    batch: 500,
    table: { add: 37_000, drain: 131_000 },
    ...plain({ count: 1_000_000, key: (i) => `k${(i * 7_919) % 1_000_003}`, ...oneType }),
  },
  {
    name: "20 types of which the worker has 10",
    batch: 500,
    table: { add: 160_000, drain: 111_000 },
    ...plain({ count: 2 * tasks, key: noKey, type: (i) => `t${i % 20}`, types: tenTypes }),
  },
  {
    name: "20 types of which the worker has 10, 10,000 keys",
    batch: 500,
    table: { add: 118_000, drain: 113_000 },
    ...plain({
      count: 2 * tasks,
      key: spread,
      type: (i) => `t${(i * 31 + Math.floor(i / 10_000)) % 20}`,
      types: tenTypes,
    }),
  },
  {
    name: "a throttled key with a million tasks at the head",
    batch: 500,
    table: { add: 109_000, drain: 79_000 },
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
    table: { add: 90_000, drain: 115_000 },
    run: async ({ store, batch, scale, bytesOnDisk }) => {
      const bench = await StoreBench.open(store, batch);
      const add = await bench.add(5_000_000 * scale, (i) =>
        benchTask(i, { fairnessKey: `k${i % 100_000}`, type: `t${i % 20}` }),
      );
      const bytes = bytesOnDisk();
      const times = 2_000;
      const begin = performance.now();
      for (let i = 0; i < times; i++) await store.describeTaskQueue(queue);
      const describeMicroseconds = Math.round(((performance.now() - begin) * 1_000) / times);
      const drain = await bench.drain(
        tasks * scale,
        Array.from({ length: 20 }, (_, i) => `t${i}`),
      );
      return { add, drain, describeMicroseconds, bytesOnDisk: bytes };
    },
  },
];
