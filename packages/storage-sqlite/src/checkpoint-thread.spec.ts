/* The built store: its thread is a module of its own, which Node loads as it was built. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Operation, ShardLease } from "@tq/storage";
import { newTask } from "@tq/storage/exercise";
import { SqliteStore } from "@tq/storage-sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";

const input = new Uint8Array(2_000).fill(7);

describe("checkpoints in a thread", () => {
  let folder: string;
  let path: string;
  let store: SqliteStore;
  let lease: ShardLease;
  const failures: string[] = [];
  let added = 0;

  beforeEach(async () => {
    folder = temporaryFolder();
    path = join(folder, "tq.db");
    store = new SqliteStore({ path, random: () => 0, checkpointFailed: (why) => void failures.push(why) });
    ({ lease } = await store.open(1_000));
    failures.length = 0;
    added = 0;
  });

  afterEach(async () => {
    await store.close();
    removeFolder(folder);
  });

  /** Adds 100 tasks: some 55 pages. */
  async function add(): Promise<void> {
    const tasks = Array.from({ length: 100 }, () => newTask({ id: `t${added++}`, input }));
    const operations: Operation[] = [{ verb: "add", tasks }];
    const { durable } = await store.commit({
      lease,
      now: 1_000 + added,
      operations,
      plan: () => ({ offers: [], claims: [] }),
    });
    await durable;
  }

  test("the log begins anew though commits never pause, and the database has it all", async () => {
    let largest = 0;
    // 22,000 pages: without checkpoints the log would hold them all.
    while (added < 40_000) {
      await add();
      largest = Math.max(largest, statSync(`${path}-wal`).size);
      await new Promise((resolve) => void setImmediate(resolve));
    }
    expect(failures).toEqual([]);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(40 * 1024 * 1024);
    expect(statSync(path).size).toBeGreaterThan(40 * 1024 * 1024);
    const found = await store.getTasks("default", ["t0", "t20000", "t39999"]);
    expect(found.map((task) => task?.id)).toEqual(["t0", "t20000", "t39999"]);
  });

  test("closing ends the thread and leaves no log", async () => {
    for (let n = 0; n < 40; n++) await add();
    await store.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    const anew = new SqliteStore({ path, random: () => 0 });
    await anew.open(2_000_000);
    expect((await anew.getTasks("default", ["t3999"]))[0]?.id).toBe("t3999");
    await anew.close();
  });
});
