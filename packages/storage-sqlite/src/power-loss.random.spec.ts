/*
 * The power fails: what reached the disk is what had been synced, and perhaps some of what was written since. Everything
 * that was said to be durable must be there, and what is there must be one moment's state.
 */
import {
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Committed, Operation } from "@tq/storage";
import { activities, newTask } from "@tq/storage/exercise";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvariantChecker } from "../test/invariants.ts";
import { seeded } from "../test/seeded.ts";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";
import { syncedAtOnce, type LogCalls } from "./journal/log-sync.ts";
import { SqliteStore } from "./sqlite-store.ts";

const nothing = { offers: [], claims: [] };
const someTasks = {
  offers: [{ workerId: "w", pollId: "", leaseMs: 60_000, slots: 5, maxBytes: 1e9 }],
  claims: [{ queue: activities, types: null, offers: [0] }],
};
/** `TQ_SEED=<seed>`, or `TQ_SEED=<first>-<last>`, goes through others. */
const [firstSeed = 1, lastSeed = firstSeed] = process.env["TQ_SEED"]?.split("-").map(Number) ?? [1, 16];
/** So few that a walk settles often, and uses each file many times. */
const journalLimits = { commits: 3, bytes: 50_000, segmentBytes: 64 * 1_024 };
const sectorBytes = 512;

/** A write to the journal that has begun. */
interface Writing {
  readonly fd: number;
  readonly bytes: Uint8Array;
  /** As they were when it began. */
  readonly copy: Buffer;
  readonly position: number;
  readonly done: (error: Error | null) => void;
}

/** The database and SQLite's log as a sync began. */
interface Moment {
  readonly at: number;
  readonly files: readonly (readonly [name: string, bytes: Buffer])[];
}

/**
 * A disk whose writes and syncs end when the test says so, and which knows what a power failure would leave. What is
 * written to the journal reaches its files as the write ends, so that they hold what is on disk.
 */
class Disk {
  readonly path: string;
  readonly #folder: string;
  readonly #synced: string;
  readonly #isSlow: boolean;
  readonly #writing: Writing[] = [];
  readonly #syncing: ((error: Error | null) => void)[] = [];
  #soon: (() => void) | undefined;
  #elapsed = 0;
  #moment = 0;
  #kept = 0;
  /** How often a file of the journal was begun anew. */
  turns = 0;

  /** @param isSlow it takes so long that nobody waits for it at once */
  constructor(folder: string, isSlow: boolean) {
    this.#isSlow = isSlow;
    this.#folder = join(folder, "now");
    this.#synced = join(folder, "synced");
    for (const made of [this.#folder, this.#synced]) mkdirSync(made);
    this.path = join(this.#folder, "tq.db");
  }

  readonly calls: LogCalls = {
    writeLater: (fd, bytes, position, done) => {
      this.#writing.push({ fd, bytes, copy: Buffer.from(bytes), position, done });
    },
    writeNow: (fd, bytes, position) => {
      expect(this.isWriting).toBe(false);
      this.#write(fd, bytes, position);
    },
    syncLater: (_fd, done) => {
      this.turns += 1;
      const files = this.#database();
      this.#syncing.push((error) => {
        if (error === null) this.#keep(files);
        done(error);
      });
    },
    syncNow: () => this.#keep(this.#database()),
    elapsed: () => (this.#elapsed += this.#isSlow ? 5 : 0),
    soon: (callback) => {
      this.#soon = callback;
      return () => (this.#soon = undefined);
    },
  };

  /** What was put off is written. */
  endWait(): void {
    const soon = this.#soon;
    this.#soon = undefined;
    soon?.();
  }

  get isWriting(): boolean {
    return this.#writing.length > 0;
  }

  endWrite(): void {
    const writing = this.#writing.shift();
    if (writing === undefined) return;
    // They were not to be touched meanwhile.
    expect(writing.copy.equals(writing.bytes)).toBe(true);
    this.#write(writing.fd, writing.bytes, writing.position);
    writing.done(null);
  }

  endSync(error: Error | null = null): void {
    this.#syncing.shift()?.(error);
  }

  /** Ends everything that is under way, and what begins thereupon. */
  async rest(): Promise<void> {
    do {
      this.endWait();
      this.endWrite();
      this.endSync();
      await turnOfEvents();
    } while (this.isWriting || this.#syncing.length > 0);
  }

  #database(): Moment {
    const files = ["tq.db", "tq.db-wal"].filter((name) => existsSync(join(this.#folder, name)));
    return { at: ++this.#moment, files: files.map((name) => [name, readFileSync(join(this.#folder, name))]) };
  }

  /** What was there as a sync began is on disk when it ends. A checkpoint syncs by itself, before and after. */
  #keep({ at, files }: Moment): void {
    if (at < this.#kept) return;
    this.#kept = at;
    for (const [name, bytes] of files) writeFileSync(join(this.#synced, name), bytes);
  }

  #write(fd: number, bytes: Uint8Array, position: number): void {
    syncedAtOnce.writeNow(fd, bytes, position);
  }

  /** What is left, in a folder of its own. */
  fail(to: string, random: () => number): string {
    mkdirSync(to);
    const journal = readdirSync(this.#folder).filter((name) => name.startsWith("tq.db-log."));
    for (const name of journal) copyFileSync(join(this.#folder, name), join(to, name));
    const [writing] = this.#writing;
    if (writing !== undefined) {
      const { ino } = fstatSync(writing.fd);
      const name = journal.find((one) => statSync(join(this.#folder, one)).ino === ino);
      if (name === undefined) throw new Error("something else than the journal is being written");
      writeFileSync(join(to, name), torn(readFileSync(join(to, name)), writing, random));
    }
    this.#leaveDatabase(to, random);
    return join(to, "tq.db");
  }

  /** The database and SQLite's log as they were synced last, as they are now, or with some of the end of the log. */
  #leaveDatabase(to: string, random: () => number): void {
    const from = random() < 0.3 ? this.#folder : this.#synced;
    for (const name of ["tq.db", "tq.db-wal"]) copyFileSync(join(from, name), join(to, name));
    if (from === this.#folder || random() < 0.5) return;
    const synced = readFileSync(join(this.#synced, "tq.db-wal"));
    const written = readFileSync(`${this.path}-wal`);
    // The same log, longer: some of its end may have reached the disk as well. Not so once it was begun anew.
    if (!written.subarray(0, synced.length).equals(synced)) return;
    const length = synced.length + Math.floor((written.length - synced.length) * random());
    writeFileSync(join(to, "tq.db-wal"), written.subarray(0, length));
  }
}

/** A file in which a write has come some way: from its beginning on, or some sectors and not others. */
function torn(before: Buffer, { copy, position }: Writing, random: () => number): Buffer {
  const after = Buffer.concat([before, Buffer.alloc(Math.max(0, position + copy.length - before.length))]);
  if (random() < 0.4) {
    copy.copy(after, position, 0, Math.floor((copy.length + 1) * random()));
    return after;
  }
  const share = random();
  for (let from = 0; from < copy.length;) {
    const to = Math.min(from + sectorBytes - ((position + from) % sectorBytes), copy.length);
    if (random() < share) copy.copy(after, position + from, from, to);
    from = to;
  }
  return after;
}

/** Opens what a power failure left after commits that end with these tasks, of which so many were said to be durable. */
async function checkWhatIsLeft(path: string, added: readonly string[], ends: readonly number[], durable: number) {
  const store = new SqliteStore({ path, random: () => 0, logCalls: syncedAtOnce, journalLimits });
  const { lease } = await store.open(2_000);
  const found = await store.getTasks("default", added);
  const there = found.filter((task) => task !== undefined).length;
  expect(there).toBeGreaterThanOrEqual(durable);
  // One moment's state: the first so many commits, and no other.
  expect(ends).toContain(there);
  expect(found.slice(0, there).every((task) => task !== undefined)).toBe(true);
  const checker = new InvariantChecker(path);
  await checker.check(store);
  checker.close();
  // It goes on from there.
  const operations: Operation[] = [{ verb: "add", tasks: [newTask({ id: "one more" })] }];
  await store.commit({ lease, now: 2_000, operations, plan: () => someTasks });
  await store.close();
}

/** What has ended by now is told to those who wait for it. */
async function turnOfEvents(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

describe("a power failure", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => removeFolder(folder));

  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    it(`loses nothing that was durable, seed ${seed}`, async () => {
      const random = seeded(seed);
      const disk = new Disk(folder, random() < 0.8);
      const store = new SqliteStore({ path: disk.path, random, logCalls: disk.calls, journalLimits });
      const { lease } = await store.open(1_000);
      /** In the order of their commits, and where each commit ends: a state is known by how many of them there are. */
      const added: string[] = [];
      const ends = [0];
      let durable = 0;
      const unsynced: Promise<void>[] = [];
      const steps = 30 + Math.floor(random() * 40);
      // Now and then the database's own sync takes longer than all the rest.
      const [writes, syncs] = [random(), random() < 0.3 ? 0 : random() * 0.5];
      const [waits, canWait] = [random(), random()];
      for (let step = 0; step < steps; step++) {
        if (random() < writes) disk.endWrite();
        if (random() < syncs) disk.endSync();
        if (random() < waits) disk.endWait();
        if (random() < 0.7) await turnOfEvents();
        const ids = Array.from({ length: 1 + Math.floor(random() ** 2 * 40) }, (_, i) => `s${seed}-${step}-${i}`);
        const parts = [ids.slice(0, 1), ids.slice(1)].filter((part) => part.length > 0);
        const operations: Operation[] = parts.map((part) => ({
          verb: "add",
          tasks: part.map((id) => newTask({ id })),
        }));
        const committed: Committed = await store.commit({
          lease,
          now: 1_000 + step,
          operations,
          plan: () => (random() < 0.3 ? someTasks : nothing),
          canWait: () => random() < canWait,
        });
        added.push(...ids);
        const upTo = added.length;
        ends.push(upTo);
        unsynced.push(committed.durable.then(() => void (durable = Math.max(durable, upTo))));
        if (random() > 0.07 && step < steps - 1) continue;
        await turnOfEvents();
        await checkWhatIsLeft(disk.fail(join(folder, `after-${step}`), random), added, ends, durable);
      }
      await disk.rest();
      await Promise.all(unsynced);
      expect(durable).toBe(added.length);
      await store.close();
    });
  }

  it("loses nothing where the database's own log could not be synced: the store says so, and is opened anew", async () => {
    const disk = new Disk(folder, false);
    const store = new SqliteStore({ path: disk.path, random: () => 0, logCalls: disk.calls, journalLimits });
    const { lease } = await store.open(1_000);
    const added: string[] = [];
    const addMore = async () => {
      for (let i = 0; i < 300; i++) {
        // The first is on disk, the second fails, and the rest is held back.
        if (disk.turns === 2) disk.endSync();
        if (disk.turns === 4) disk.endSync(new Error("EIO"));
        const operations: Operation[] = [
          { verb: "add", tasks: [newTask({ id: `t${i}`, input: new Uint8Array(300) })] },
        ];
        const { durable } = await store.commit({ lease, now: 1_000, operations, plan: () => nothing });
        await durable;
        added.push(`t${i}`);
        await turnOfEvents();
      }
    };
    await expect(addMore()).rejects.toMatchObject({
      code: "lost",
      message: expect.stringContaining("-wal: EIO") as string,
    });
    expect(added.length).toBeGreaterThan(8);
    const ends = added.map((_, i) => i + 1);
    await checkWhatIsLeft(
      disk.fail(join(folder, "after"), () => 0.9),
      added,
      ends,
      added.length,
    );
    await disk.rest();
    await store.close();
  });

  it("finds files that were used again while the database's own sync was held back", async () => {
    const disk = new Disk(folder, true);
    const store = new SqliteStore({ path: disk.path, random: () => 0, logCalls: disk.calls, journalLimits });
    const { lease } = await store.open(1_000);
    const ids = Array.from({ length: 120 }, (_, i) => `t${i}`);
    for (const id of ids) {
      const operations: Operation[] = [{ verb: "add", tasks: [newTask({ id, input: new Uint8Array(300) })] }];
      const { durable } = await store.commit({ lease, now: 1_000, operations, plan: () => nothing });
      await turnOfEvents();
      disk.endWrite();
      await durable;
    }
    expect(disk.turns).toBeGreaterThan(4);
    // As it was when it was last synced, and nothing since.
    const left = disk.fail(join(folder, "after"), () => 0.9);
    await disk.rest();
    await store.close();
    const after = new SqliteStore({ path: left, random: () => 0, logCalls: syncedAtOnce });
    await after.open(2_000);
    expect((await after.getTasks("default", ids)).map((task) => task?.id)).toEqual(ids);
    await after.close();
  });

  it("a read waits until what it tells is on disk", async () => {
    const disk = new Disk(folder, true);
    const store = new SqliteStore({ path: disk.path, random: () => 0, logCalls: disk.calls });
    const { lease } = await store.open(1_000);
    // The disk is known to be slow after a few.
    for (let i = 0; !disk.isWriting; i++) {
      const operations: Operation[] = [{ verb: "add", tasks: [newTask({ id: `a${i}` })] }];
      await store.commit({ lease, now: 1_000, operations, plan: () => nothing });
    }
    let isTold = false;
    const read = store.getTasks("default", ["a0"]).then((tasks) => ((isTold = true), tasks));
    await turnOfEvents();
    expect([disk.isWriting, isTold]).toEqual([true, false]);
    disk.endWrite();
    expect((await read)[0]?.id).toBe("a0");
    await disk.rest();
    await store.close();
  });

  it("a disk that fails makes the store refuse everything, until it is opened anew", async () => {
    let fails = false;
    const logCalls: LogCalls = {
      ...syncedAtOnce,
      writeNow: (fd, bytes, position) => {
        syncedAtOnce.writeNow(fd, bytes, position);
        if (fails) throw new Error("EIO");
      },
    };
    const path = join(folder, "tq.db");
    const store = new SqliteStore({ path, random: () => 0, logCalls });
    const { lease } = await store.open(1_000);
    fails = true;
    const add = (id: string): Operation => ({ verb: "add", tasks: [newTask({ id })] });
    const commit = { lease, now: 1_000, plan: () => nothing };
    const { durable } = await store.commit({ ...commit, operations: [add("a"), add("b"), add("c")] });
    await expect(durable).rejects.toMatchObject({ code: "lost" });
    await expect(store.commit({ ...commit, operations: [add("d")] })).rejects.toMatchObject({ code: "lost" });
    await expect(store.getTasks("default", ["a"])).rejects.toMatchObject({ code: "lost" });
    await store.close();
    // What was lost may be there all the same, as here.
    const anew = new SqliteStore({ path, random: () => 0 });
    await anew.open(2_000);
    expect((await anew.getTasks("default", ["a", "d"])).map((task) => task?.id)).toEqual(["a", undefined]);
    await anew.close();
  });
});
