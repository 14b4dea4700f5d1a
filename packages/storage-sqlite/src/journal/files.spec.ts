/* The journal's files beside the database's, as operators and crashes leave them. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NewTask, ShardLease } from "@tq/storage";
import { newTask } from "@tq/storage/exercise";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyDatabase } from "../../test/home.ts";
import { InvariantChecker } from "../../test/invariants.ts";
import { mayMount, removeFolder, temporaryFolder } from "../../test/temporary.ts";
import { SqliteStore } from "../sqlite-store.ts";
import { journalLimits, type JournalLimits } from "./journal.ts";
import { syncedAtOnce } from "./log-sync.ts";

const holder = join(dirname(fileURLToPath(import.meta.url)), "../../test/holder.ts");
const nothing = { offers: [], claims: [] };
const few: JournalLimits = { commits: 3, bytes: 40_000, segmentBytes: 64 * 1_024 };

const mayMountTmpfs = mayMount("tmpfs", "-o", "size=64k", "tmpfs");

describe("the journal's files", () => {
  let folder: string;
  let path: string;
  const stores: SqliteStore[] = [];

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, "tq.db");
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    removeFolder(folder);
  });

  async function openAt(at = path, limits: JournalLimits = journalLimits) {
    const store = new SqliteStore({ path: at, random: () => 0.5, logCalls: syncedAtOnce, journalLimits: limits });
    stores.push(store);
    const { lease } = await store.open(1_000);
    return { store, lease };
  }

  async function add({ store, lease }: { store: SqliteStore; lease: ShardLease }, ...ids: readonly string[]) {
    for (const id of ids) await addTask(store, lease, newTask({ id }));
  }

  async function addTask(store: SqliteStore, lease: ShardLease, task: NewTask): Promise<void> {
    const { durable } = await store.commit({
      lease,
      now: 1_000,
      operations: [{ verb: "add", tasks: [task] }],
      plan: () => nothing,
    });
    await durable;
  }

  async function idsIn(store: SqliteStore): Promise<string[]> {
    const { items } = await store.listTasks("default", {}, { size: 10_000, examine: 10_000, maxBytes: 1e9 });
    return items.map(({ id }) => id);
  }

  /** What a killed process would leave of the database at this moment, in a folder of its own. */
  function killed(): string {
    const at = join(folder, "killed", "tq.db");
    mkdirSync(dirname(at));
    copyDatabase(path, at);
    return at;
  }

  const journalsBeside = (at: string) => readdirSync(dirname(at)).filter((name) => name.includes("-log."));

  it("are there while it is open, and gone once it is closed", async () => {
    const open = await openAt();
    await add(open, "a");
    expect(journalsBeside(path)).toEqual(["tq.db-log.1.0", "tq.db-log.1.1"]);
    await open.store.close();
    expect(readdirSync(folder).filter((name) => name !== "tq.db.lock")).toEqual(["tq.db"]);
    expect(await idsIn((await openAt()).store)).toEqual(["a"]);
    expect(journalsBeside(path)).toEqual(["tq.db-log.2.0", "tq.db-log.2.1"]);
  });

  it("are run again after a process was killed, and removed", async () => {
    const child = spawn(process.execPath, ["--experimental-strip-types", "--no-warnings", holder, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(journalsBeside(path)).toEqual(["tq.db-log.1.0", "tq.db-log.1.1"]);
    // What it committed stands nowhere else.
    const without = join(folder, "without", "tq.db");
    mkdirSync(dirname(without));
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, without + suffix);
    expect(await (await openAt(without)).store.hasNamespace("held")).toBe(false);
    expect(await (await openAt()).store.hasNamespace("held")).toBe(true);
    expect(journalsBeside(path)).toEqual(["tq.db-log.2.0", "tq.db-log.2.1"]);
  });

  it("are not needed any more once the store was opened after a crash, whatever becomes of it", async () => {
    await add(await openAt(), "a", "b");
    const at = killed();
    // The files for the next epoch cannot be made.
    mkdirSync(`${at}-log.2.1`);
    await expect(openAt(at)).rejects.toMatchObject({ name: "StoreError", code: "unavailable" });
    rmSync(`${at}-log.2.1`, { recursive: true });
    expect(await idsIn((await openAt(at)).store)).toEqual(["a", "b"]);
  });

  it("of an epoch that is over are not run again, if a process was killed before it had removed them", async () => {
    const first = await openAt();
    await add(first, "a", "b");
    const old = join(folder, "old");
    mkdirSync(old);
    for (const name of journalsBeside(path)) copyFileSync(join(folder, name), join(old, name));
    await first.store.close();
    const second = await openAt();
    await add(second, "c");
    const at = killed();
    for (const name of readdirSync(old)) copyFileSync(join(old, name), join(dirname(at), name));
    expect(journalsBeside(at)).toHaveLength(4);
    expect(await idsIn((await openAt(at)).store)).toEqual(["a", "b", "c"]);
    expect(journalsBeside(at)).toEqual(["tq.db-log.3.0", "tq.db-log.3.1"]);
  });

  it("have the last commit if it is closed in the moment in which it is to be settled", async () => {
    const { store, lease } = await openAt(path, few);
    for (let i = 0; i < 3; i++) await addTask(store, lease, newTask({ id: `t${i}` }));
    await store.close();
    await new Promise((resolve) => void setImmediate(resolve));
    expect(await idsIn((await openAt()).store)).toEqual(["t0", "t1", "t2"]);
  });

  it.each([0, 1, 2])(
    "do not get into a backup that is put in the database's place, %i restarts later",
    async (restarts) => {
      const open = await openAt();
      await add(open, "before");
      const backup = join(folder, "backup.db");
      await open.store.backup(backup, () => undefined);
      await add(open, "after");
      let last = open;
      for (let i = 0; i < restarts; i++) {
        await last.store.close();
        last = await openAt();
      }
      await add(last, "much later");
      const at = killed();
      rmSync(`${at}-wal`);
      copyFileSync(backup, at);
      expect(journalsBeside(at)).toHaveLength(2);
      const restored = await openAt(at);
      expect(await idsIn(restored.store)).toEqual(["before"]);
      await add(restored, "anew");
      await restored.store.close();
      expect(await idsIn((await openAt(at)).store)).toEqual(["before", "anew"]);
    },
  );

  it("that go on elsewhere than the database ends are refused, and left as they are", async () => {
    const open = await openAt(path, few);
    await add(open, "a");
    const at = join(folder, "old", "tq.db");
    mkdirSync(dirname(at));
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, at + suffix);
    // Until the records behind that have been written over.
    for (let i = 0; i < 60; i++) {
      await add(open, `b${i}`);
      await new Promise((resolve) => void setImmediate(resolve));
    }
    for (const name of journalsBeside(path)) copyFileSync(join(folder, name), join(dirname(at), name));
    for (let tries = 0; tries < 2; tries++) {
      await expect(openAt(at)).rejects.toMatchObject({
        code: "unusable",
        message: expect.stringMatching(/ends with commit 0, and the log beside it goes on with \d+/) as string,
      });
    }
    expect(journalsBeside(at)).toEqual(["tq.db-log.1.0", "tq.db-log.1.1"]);
    // It is as it was: what belongs together opens.
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, at + suffix);
    expect((await idsIn((await openAt(at)).store)).length).toBe(61);
  });

  it("of two databases in one folder are told apart, also if one is named like the other's", async () => {
    const paths = ["tq", "tq-log", "tq-log.1", "tq-log.1.0-log.1", "tq.db"].map((name) => join(folder, name));
    for (const [i, at] of paths.entries()) await add(await openAt(at), `in ${i}`);
    const crashed = join(folder, "crashed");
    mkdirSync(crashed);
    for (const name of readdirSync(folder)) {
      if (!/(lock|-shm|crashed)$/.test(name)) copyFileSync(join(folder, name), join(crashed, name));
    }
    for (const [i, at] of paths.entries()) {
      const { store } = await openAt(at.replace(folder, crashed));
      expect(await idsIn(store)).toEqual([`in ${i}`]);
      await store.close();
    }
  });

  describe.skipIf(!mayMountTmpfs)("on a disk that is full", () => {
    let disk: string;
    let ballast: string;
    beforeEach(() => {
      disk = join(folder, "disk");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
      ballast = join(disk, "ballast");
      writeFileSync(ballast, Buffer.alloc(1_000_000));
    });
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
      execFileSync("umount", [disk]);
    });

    it.each([1, 8, 50])(
      "refuse commits, lose nothing, and go on once there is room: %i commits in a window",
      async (commits) => {
        const at = join(disk, "tq.db");
        const limits = { commits, bytes: 100_000, segmentBytes: 250_000 };
        const { store, lease } = await openAt(at, limits);
        const added: string[] = [];
        const next = async () => {
          const id = `t${added.length}`;
          await addTask(store, lease, newTask({ id, input: new Uint8Array(3_000).fill(added.length % 250) }));
          added.push(id);
          await new Promise((resolve) => void setImmediate(resolve));
        };
        const fill = async () => {
          for (let i = 0; i < 2_000; i++) await next();
        };
        await expect(fill()).rejects.toMatchObject({ code: "unavailable" });
        expect(added.length).toBeGreaterThan(30);
        await expect(next()).rejects.toMatchObject({ code: "unavailable" });
        expect(await idsIn(store)).toEqual(added);
        // A process that is killed now has everything.
        const left = join(folder, "left", "tq.db");
        mkdirSync(dirname(left));
        copyDatabase(at, left);
        expect(await idsIn((await openAt(left)).store)).toEqual(added);
        // Free some space.
        rmSync(ballast);
        for (let i = 0; i < 20; i++) await next();
        expect(await idsIn(store)).toEqual(added);
        const checker = new InvariantChecker(at);
        await checker.check(store);
        checker.close();
      },
    );

    it.each([3_000, 4_200])(
      "have room for what is not settled yet, wherever in a file it begins: inputs of %i bytes",
      async (bytes) => {
        const at = join(disk, "tq.db");
        const limits = { commits: 1_000, bytes: 100_000, segmentBytes: 250_000 };
        const { store, lease } = await openAt(at, limits);
        let n = 0;
        const next = async () => {
          await addTask(store, lease, newTask({ id: `t${n++}`, input: new Uint8Array(bytes) }));
          await new Promise((resolve) => void setImmediate(resolve));
        };
        for (let i = 0; i < 70; i++) await next();
        expect(() => {
          for (let i = 0; ; i++) writeFileSync(join(disk, `more-${i}`), Buffer.alloc(2_000));
        }).toThrow(/ENOSPC/);
        const fill = async () => {
          for (let i = 0; i < 200; i++) await next();
        };
        await expect(fill()).rejects.toMatchObject({ code: "unavailable" });
        for (const name of readdirSync(disk)) if (name.startsWith("more")) rmSync(join(disk, name));
        await next();
      },
    );

    it("let go of the database when it is closed, and have what there was no room for", async () => {
      const at = join(disk, "tq.db");
      const limits = { commits: 1_000, bytes: 200_000, segmentBytes: 300_000 };
      const { store, lease } = await openAt(at, limits);
      const ids = Array.from({ length: 40 }, (_, i) => `t${i}`);
      for (const id of ids) await addTask(store, lease, newTask({ id, input: new Uint8Array(3_000) }));
      expect(() => {
        for (let i = 0; ; i++) writeFileSync(join(disk, `more-${i}`), Buffer.alloc(100_000));
      }).toThrow(/ENOSPC/);
      await store.close();
      expect(journalsBeside(at)).toEqual(["tq.db-log.1.0", "tq.db-log.1.1"]);
      await expect(openAt(at, limits)).rejects.toMatchObject({ code: "unavailable" });
      for (const name of readdirSync(disk)) if (/^(more|ballast)/.test(name)) rmSync(join(disk, name));
      expect(await idsIn((await openAt(at, limits)).store)).toEqual(ids);
    });
  });
});
