/*
 * The power fails: what reached the disk is what had been synced, and perhaps some of what was written since. Everything
 * that was said to be durable must be there, and what is there must be one moment's state.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { Committed, NewTask, Operation, Store } from "@tq/storage";
import { activities, newTask } from "@tq/storage/exercise";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvariantChecker } from "../test/invariants.ts";
import { seeded } from "../test/seeded.ts";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";
import { SqliteStore } from "./sqlite-store.ts";

const nothing = { offers: [], claims: [] };
const someTasks = {
  offers: [{ workerId: "w", pollId: "", leaseMs: 60_000, slots: 5, maxBytes: 1e9 }],
  claims: [{ queue: activities, types: null, offers: [0] }],
};
/** `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, goes through others. */
const [firstSeed = 1, lastSeed = firstSeed] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, 12];

/** A disk whose syncs end when the test says so, and which knows what a power failure would leave. */
class Disk {
  readonly path: string;
  readonly #kept: string;
  readonly #ends: (() => void)[] = [];

  constructor(folder: string) {
    this.path = join(folder, "tq.db");
    this.#kept = join(folder, "synced");
    mkdirSync(this.#kept);
  }

  readonly calls = {
    later: (_fd: number, done: (error: Error | null) => void): void => {
      this.#keep();
      this.#ends.push(() => done(null));
    },
    now: (): void => this.#keep(),
  };

  get isSyncing(): boolean {
    return this.#ends.length > 0;
  }

  endSync(): void {
    this.#ends.shift()?.();
  }

  /** What is there as a sync begins is on disk when it ends. A checkpoint syncs by itself, before and after. */
  #keep(): void {
    for (const suffix of ["", "-wal"]) {
      if (existsSync(this.path + suffix)) copyFileSync(this.path + suffix, join(this.#kept, `tq.db${suffix}`));
    }
  }

  /** What is left, in a folder of its own: with so much of the log's unsynced end, of 0 to 1. */
  fail(to: string, share: number): string {
    mkdirSync(to);
    const left = join(to, "tq.db");
    copyFileSync(join(this.#kept, "tq.db"), left);
    const synced = readFileSync(join(this.#kept, "tq.db-wal"));
    const written = readFileSync(`${this.path}-wal`);
    // The same log, longer: some of its end may have reached the disk as well. Not so once it was begun anew.
    const isLonger = written.length > synced.length && written.subarray(0, synced.length).equals(synced);
    copyFileSync(isLonger ? `${this.path}-wal` : join(this.#kept, "tq.db-wal"), `${left}-wal`);
    if (isLonger) truncateSync(`${left}-wal`, synced.length + Math.floor((written.length - synced.length) * share));
    return left;
  }
}

describe("a power failure", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => removeFolder(folder));

  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    it(`loses nothing that was durable, seed ${seed}`, async () => {
      const random = seeded(seed);
      const disk = new Disk(folder);
      const store: Store = new SqliteStore({ path: disk.path, random, syncCalls: disk.calls });
      const { lease } = await store.open(1_000);
      /** In the order of their commits, so that a state is known by how many of them there are. */
      const added: string[] = [];
      let durable = 0;
      const unsynced: Promise<void>[] = [];
      for (let step = 0; step < 40; step++) {
        if (disk.isSyncing && random() < 0.5) {
          disk.endSync();
          await new Promise((resolve) => void setImmediate(resolve));
        }
        const tasks: NewTask[] = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, i) =>
          newTask({ id: `s${seed}-${step}-${i}` }),
        );
        // One or two operations wait for the disk at once, three do not.
        const parts = [tasks.slice(0, 1), tasks.slice(1, 2), tasks.slice(2)].filter((part) => part.length > 0);
        const operations: Operation[] = parts.map((part) => ({ verb: "add", tasks: part }));
        const committed: Committed = await store.commit({
          lease,
          now: 1_000 + step,
          operations,
          plan: () => (random() < 0.3 ? someTasks : nothing),
        });
        added.push(...tasks.map(({ id }) => id));
        const upTo = added.length;
        unsynced.push(committed.durable.then(() => void (durable = Math.max(durable, upTo))));
      }
      await new Promise((resolve) => void setImmediate(resolve));
      const promised = durable;
      const left = disk.fail(join(folder, "after"), random());
      while (disk.isSyncing) {
        disk.endSync();
        await new Promise((resolve) => void setImmediate(resolve));
      }
      await Promise.all(unsynced);
      expect(durable).toBe(added.length);
      await store.close();

      const after = new SqliteStore({ path: left, random });
      await after.open(2_000);
      const found = await after.getTasks("default", added);
      const there = found.filter((task) => task !== undefined).length;
      expect(there).toBeGreaterThanOrEqual(promised);
      // One moment's state: the first so many, and no other.
      expect(found.slice(0, there).every((task) => task !== undefined)).toBe(true);
      const checker = new InvariantChecker(left);
      await checker.check(after);
      checker.close();
      await after.close();
    });
  }

  it("a read waits until what it tells is on disk", async () => {
    const disk = new Disk(folder);
    const store = new SqliteStore({ path: disk.path, random: () => 0, syncCalls: disk.calls });
    const { lease } = await store.open(1_000);
    const operations: Operation[] = ["a", "b", "c"].map((id) => ({ verb: "add", tasks: [newTask({ id })] }));
    await store.commit({ lease, now: 1_000, operations, plan: () => nothing });
    let isTold = false;
    const read = store.getTasks("default", ["a"]).then((tasks) => ((isTold = true), tasks));
    await new Promise((resolve) => void setImmediate(resolve));
    expect([disk.isSyncing, isTold]).toEqual([true, false]);
    disk.endSync();
    expect((await read)[0]?.id).toBe("a");
    await store.close();
  });

  it("a disk that fails makes the store refuse everything, until it is opened anew", async () => {
    let fails = false;
    const calls = {
      later: (_fd: number, done: (error: Error | null) => void) => done(fails ? new Error("EIO") : null),
      now: () => undefined,
    };
    const path = join(folder, "tq.db");
    const store = new SqliteStore({ path, random: () => 0, syncCalls: calls });
    const { lease } = await store.open(1_000);
    fails = true;
    const add = (id: string): Operation => ({ verb: "add", tasks: [newTask({ id })] });
    const commit = { lease, now: 1_000, plan: () => nothing };
    const { durable } = await store.commit({ ...commit, operations: [add("a"), add("b"), add("c")] });
    await expect(durable).rejects.toMatchObject({ code: "lost" });
    await expect(store.commit({ ...commit, operations: [add("d")] })).rejects.toMatchObject({ code: "lost" });
    await expect(store.getTasks("default", ["a"])).rejects.toMatchObject({ code: "lost" });
    await store.close();
    const anew = new SqliteStore({ path, random: () => 0 });
    await anew.open(2_000);
    expect((await anew.getTasks("default", ["a", "d"])).map((task) => task?.id)).toEqual(["a", undefined]);
    await anew.close();
  });
});
