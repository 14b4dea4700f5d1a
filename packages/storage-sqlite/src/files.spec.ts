import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SqliteStore } from "./sqlite-store.ts";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";

const holder = join(dirname(fileURLToPath(import.meta.url)), "../test/holder.ts");
const isRoot = process.getuid?.() === 0;

describe("files", () => {
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

  function storeAt(at = path): SqliteStore {
    const store = new SqliteStore({ path: at, random: () => 0 });
    stores.push(store);
    return store;
  }

  /** Opens a store that cannot be opened, and gives the error's code and text. */
  async function refusal(at = path): Promise<{ readonly code: unknown; readonly message: string }> {
    const error: unknown = await storeAt(at)
      .open(0)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    if (!(error instanceof Error) || error.name !== "StoreError")
      throw new Error("it was not refused", { cause: error });
    return { code: "code" in error ? error.code : undefined, message: error.message };
  }

  it("keeps its data in the file that it was told", async () => {
    const store = storeAt();
    expect(store.description).toBe(`sqlite ${path}`);
    await store.open(0);
    expect(existsSync(path)).toBe(true);
  });

  it("a second open in the same process is refused", async () => {
    await storeAt().open(0);
    expect(await refusal()).toMatchObject({ code: "locked" });
    expect((await refusal()).message).toContain(path);
  });

  it("opening the same store twice is refused, and harms neither", async () => {
    const store = storeAt();
    await store.open(0);
    await expect(store.open(0)).rejects.toMatchObject({ code: "locked" });
    expect(await store.hasNamespace("default")).toBe(true);
  });

  it("the same file by another path is refused", async () => {
    await storeAt().open(0);
    symlinkSync(path, join(folder, "other.db"));
    symlinkSync(folder, `${folder}/self`);
    expect((await refusal(join(folder, "other.db"))).code).toBe("locked");
    expect((await refusal(join(folder, "self", "tq.db"))).code).toBe("locked");
  });

  it("closing lets go of it", async () => {
    const store = storeAt();
    const first = await store.open(0);
    await store.close();
    await store.close();
    const second = await storeAt().open(0);
    expect(second.lease.epoch).toBe(first.lease.epoch + 1);
  });

  it("another process is refused, and gets it once the holder is killed", async () => {
    const child = spawn(process.execPath, ["--experimental-strip-types", "--no-warnings", holder, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      expect(await firstLine(child)).toBe("open");
      expect((await refusal()).code).toBe("locked");
      child.kill("SIGKILL");
      await once(child, "exit");
      const store = storeAt();
      await store.open(0);
      // What the killed process committed is there.
      expect(await store.hasNamespace("held")).toBe(true);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("a process is refused while this one has it open", async () => {
    await storeAt().open(0);
    const child = spawn(process.execPath, ["--experimental-strip-types", "--no-warnings", holder, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect(await firstLine(child)).toBe("locked");
    await once(child, "exit");
  });

  it("a missing folder is named", async () => {
    const at = join(folder, "no", "tq.db");
    const { code, message } = await refusal(at);
    expect(code).toBe("unusable");
    expect(message).toContain(at);
    expect(message).toContain("folder must exist");
  });

  it("a folder in the file's place is refused", async () => {
    mkdirSync(path);
    expect((await refusal()).code).toBe("unusable");
  });

  it("a file that is no database is refused, and left as it is", async () => {
    writeFileSync(path, "Dear diary, ".repeat(1_000));
    const { code, message } = await refusal();
    expect(code).toBe("unusable");
    expect(message).toMatch(/not a SQLite database/);
    expect(readFileSync(path, "utf8")).toBe("Dear diary, ".repeat(1_000));
  });

  it("another program's database is refused, and left as it is", async () => {
    const other = new Database(path);
    other.exec("create table t(a); insert into t values(1)");
    other.close();
    const before = readFileSync(path);
    const { code, message } = await refusal();
    expect(code).toBe("unusable");
    expect(message).toMatch(/another program/);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it("a file of a newer version is refused by its number", async () => {
    const store = storeAt();
    await store.open(0);
    await store.close();
    const db = new Database(path);
    db.pragma("user_version = 99");
    db.close();
    const { code, message } = await refusal();
    expect(code).toBe("unusable");
    expect(message).toContain("version 99");
  });

  it("a file that has lost its tables is refused", async () => {
    const store = storeAt();
    await store.open(0);
    await store.close();
    const db = new Database(path);
    db.exec("drop table front");
    db.close();
    const { code, message } = await refusal();
    expect(code).toBe("unusable");
    expect(message).toMatch(/damaged.*backup/);
  });

  it("a file that was cut off is refused, or its reading is", async () => {
    const store = storeAt();
    await store.open(0);
    await store.close();
    truncateSync(path, Math.floor(statSync(path).size / 2));
    expect(await refusal()).toMatchObject({ code: "unusable" });
  });

  it("a refused open leaves no lock behind", async () => {
    writeFileSync(path, "x".repeat(5_000));
    await refusal();
    writeFileSync(path, "");
    await storeAt().open(0);
  });

  it("a lock file that is none is named", async () => {
    writeFileSync(`${path}.lock`, "x".repeat(5_000));
    const { code, message } = await refusal();
    expect(code).toBe("unusable");
    expect(message).toContain(`${path}.lock`);
  });

  it.skipIf(isRoot)("a file or folder that is read-only is refused", async () => {
    const store = storeAt();
    await store.open(0);
    await store.close();
    chmodSync(path, 0o444);
    expect((await refusal()).code).toBe("unavailable");
    chmodSync(path, 0o644);
    chmodSync(folder, 0o555);
    expect((await refusal()).code).toBe("unavailable");
    chmodSync(folder, 0o755);
  });
});

async function firstLine(child: ChildProcess): Promise<string> {
  let said = "";
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk);
    if (said.includes("\n")) break;
  }
  return said.trim();
}
