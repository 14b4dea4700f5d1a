import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LogSync } from "./log-sync.ts";

/** Syncs that end when the test says so. */
class HeldSyncs {
  readonly waiting: ((error: Error | null) => void)[] = [];
  now = 0;
  failsNow = false;
  readonly calls = {
    later: (_fd: number, done: (error: Error | null) => void) => void this.waiting.push(done),
    now: () => {
      this.now += 1;
      if (this.failsNow) throw new Error("EIO");
    },
  };

  end(error: Error | null = null): void {
    const done = this.waiting.shift();
    if (done === undefined) throw new Error("nothing is being synced");
    done(error);
  }
}

/** What has become of a promise by now. */
async function stateOf(promise: Promise<void>): Promise<string> {
  let state = "waits";
  promise.then(
    () => (state = "on disk"),
    (error: unknown) => (state = String(error)),
  );
  await new Promise((resolve) => void setImmediate(resolve));
  return state;
}

describe("the sync of the log", () => {
  let folder: string;
  let path: string;
  let held: HeldSyncs;
  let sync: LogSync;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tq-log-"));
    path = join(folder, "log");
    writeFileSync(path, "");
    held = new HeldSyncs();
    sync = new LogSync(path, held.calls);
  });

  afterEach(async () => {
    while (held.waiting.length > 0) held.end();
    await sync.close();
    rmSync(folder, { recursive: true });
  });

  test("what is written while a sync is under way waits for the next one, and shares it", async () => {
    const first = sync.written();
    const second = sync.written();
    const third = sync.written();
    expect(held.waiting).toHaveLength(1);
    held.end();
    expect([await stateOf(first), await stateOf(second)]).toEqual(["on disk", "waits"]);
    expect(held.waiting).toHaveLength(1);
    held.end();
    expect([await stateOf(second), await stateOf(third)]).toEqual(["on disk", "on disk"]);
    expect(held.waiting).toHaveLength(0);
  });

  test("settled waits for all that was written, and for nothing if it is on disk", async () => {
    expect([sync.isSettled, await stateOf(sync.settled())]).toEqual([true, "on disk"]);
    void sync.written();
    void sync.written();
    const settled = sync.settled();
    held.end();
    expect([sync.isSettled, await stateOf(settled)]).toEqual([false, "waits"]);
    held.end();
    expect([sync.isSettled, await stateOf(settled)]).toEqual([true, "on disk"]);
  });

  test("it waits for the disk at once only while no sync is under way", async () => {
    expect([await stateOf(sync.writtenNow()), held.now]).toEqual(["on disk", 1]);
    void sync.written();
    const second = sync.writtenNow();
    expect([await stateOf(second), held.now]).toEqual(["waits", 1]);
    held.end();
    held.end();
    expect(await stateOf(second)).toBe("on disk");
  });

  test("once a sync has failed nothing is believed any more, and it says what to do", async () => {
    const first = sync.written();
    const second = sync.written();
    held.end(new Error("EIO"));
    for (const each of [first, second, sync.written(), sync.writtenNow(), sync.settled()]) {
      expect(await stateOf(each)).toContain(`the disk did not confirm what was written to ${path}: EIO. Look after`);
    }
    expect(held.waiting).toHaveLength(0);
    expect(sync.lost).toMatchObject({ name: "StoreError", code: "lost" });
  });

  test("the same where it waited itself", async () => {
    held.failsNow = true;
    expect(await stateOf(sync.writtenNow())).toContain("EIO");
    held.failsNow = false;
    expect(await stateOf(sync.writtenNow())).toContain("EIO");
    expect(held.now).toBe(1);
  });

  test("closing waits for the sync that is under way", async () => {
    const last = sync.written();
    let isClosed = false;
    const closing = sync.close().then(() => (isClosed = true));
    expect([await stateOf(last), isClosed]).toEqual(["waits", false]);
    held.end();
    await closing;
    expect(await stateOf(last)).toBe("on disk");
  });
});
