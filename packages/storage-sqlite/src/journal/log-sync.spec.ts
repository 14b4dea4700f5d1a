import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { LogSync, systemCalls, type LogCalls, type Piece } from "./log-sync.ts";

const large = 256 * 1_024 + 1;

/** A disk whose later writes end when the test says so. */
class HeldWrites {
  readonly waiting: ((error: Error | null) => void)[] = [];
  /** What was written, in order: how, and which bytes. */
  readonly written: string[] = [];
  /** How long a write takes that is waited for. */
  msPerWrite = 0.1;
  failsNow = false;
  #elapsed = 0;
  readonly calls: LogCalls = {
    writeLater: (_fd, bytes, _position, done) => {
      this.#note("later", bytes);
      this.waiting.push(done);
    },
    writeNow: (_fd, bytes) => {
      this.#note("now", bytes);
      this.#elapsed += this.msPerWrite;
      if (this.failsNow) throw new Error("EIO");
    },
    syncLater: () => undefined,
    syncNow: () => undefined,
    elapsed: () => this.#elapsed,
  };

  end(error: Error | null = null): void {
    const done = this.waiting.shift();
    if (done === undefined) throw new Error("nothing is being written");
    done(error);
  }

  #note(how: string, bytes: Uint8Array): void {
    this.written.push(`${how} ${bytes.length > 100 ? bytes.length : String(bytes)}`);
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

describe("the writing of the journal", () => {
  let held: HeldWrites;
  let sync: LogSync;
  /** What is to be written when it is next asked for. */
  let toWrite: number[];

  beforeEach(() => {
    held = new HeldWrites();
    toWrite = [];
    sync = new LogSync(take, held.calls);
  });

  function take(): Piece {
    const bytes = Uint8Array.from(toWrite);
    toWrite = [];
    return { fd: 0, path: "tq.db-log.1.0", bytes, position: 0 };
  }

  function write(byte: number): Promise<void> {
    toWrite.push(byte);
    return sync.written();
  }

  /** Finds out that the disk is slow. */
  async function slowDown(): Promise<void> {
    held.msPerWrite = 8;
    for (let i = 0; held.waiting.length === 0; i++) {
      if (i > 16) throw new Error("it still waits for the disk");
      void write(0);
    }
    held.end();
    held.written.length = 0;
  }

  test("a quick disk is waited for at once", async () => {
    for (let i = 0; i < 300; i++) expect(await stateOf(write(i % 100))).toBe("on disk");
    expect(held.written).toHaveLength(300);
    expect(held.written.every((how) => how.startsWith("now"))).toBe(true);
    expect(sync.isSettled).toBe(true);
  });

  test("a single slow write among quick ones says little", async () => {
    for (let i = 0; i < 200; i++) {
      held.msPerWrite = i % 20 === 19 ? 1_000 : 0.1;
      void write(1);
    }
    expect(held.waiting).toHaveLength(0);
  });

  test("a slow disk is waited for by a thread, and tried again after 128 writes", async () => {
    await slowDown();
    held.msPerWrite = 0.1;
    // The one that found it out was the first of them.
    for (let i = 1; i < 128; i++) {
      const written = write(i);
      expect([i, await stateOf(written)]).toEqual([i, "waits"]);
      held.end();
      expect([i, await stateOf(written)]).toEqual([i, "on disk"]);
    }
    expect(await stateOf(write(7))).toBe("on disk");
    expect(held.written.at(-1)).toBe("now 7");
    expect(held.written.filter((how) => how.startsWith("later"))).toHaveLength(127);
  });

  test("what comes while a write is under way is written together by the next one", async () => {
    await slowDown();
    const first = write(1);
    const second = write(2);
    const third = write(3);
    expect(held.written).toEqual(["later 1"]);
    held.end();
    expect([await stateOf(first), await stateOf(second)]).toEqual(["on disk", "waits"]);
    expect(held.written).toEqual(["later 1", "later 2,3"]);
    held.end();
    expect([await stateOf(second), await stateOf(third)]).toEqual(["on disk", "on disk"]);
    expect(held.waiting).toHaveLength(0);
  });

  test("a large piece is left to a thread on a quick disk, too", async () => {
    toWrite = Array.from({ length: large }, () => 1);
    const first = sync.written();
    const second = write(2);
    expect(held.written).toEqual([`later ${large}`]);
    held.end();
    held.end();
    expect([await stateOf(first), await stateOf(second)]).toEqual(["on disk", "on disk"]);
    expect(await stateOf(write(3))).toBe("on disk");
    expect(held.written.slice(1)).toEqual(["later 2", "now 3"]);
  });

  test("settled waits for all that was written, and for nothing if it is on disk", async () => {
    expect([sync.isSettled, await stateOf(sync.settled())]).toEqual([true, "on disk"]);
    await slowDown();
    void write(1);
    void write(2);
    const settled = sync.settled();
    held.end();
    expect([sync.isSettled, await stateOf(settled)]).toEqual([false, "waits"]);
    held.end();
    expect([sync.isSettled, await stateOf(settled)]).toEqual([true, "on disk"]);
  });

  test("once a write has failed nothing is believed any more, and it says what to do", async () => {
    await slowDown();
    const first = write(1);
    const second = write(2);
    held.end(new Error("EIO"));
    for (const each of [first, second, write(3), sync.settled()]) {
      expect(await stateOf(each)).toContain(
        "the disk did not confirm what was written to tq.db-log.1.0: EIO. Look after",
      );
    }
    expect(held.waiting).toHaveLength(0);
    expect(held.written).toEqual(["later 1"]);
    expect([sync.isSettled, sync.lost]).toMatchObject([false, { name: "StoreError", code: "lost" }]);
  });

  test("the same where it waited itself", async () => {
    held.failsNow = true;
    expect(await stateOf(write(1))).toContain("EIO");
    held.failsNow = false;
    expect(await stateOf(write(2))).toContain("EIO");
    expect(held.written).toEqual(["now 1"]);
    expect(sync.lost).toMatchObject({ code: "lost" });
  });

  describe("what nobody waits for", () => {
    /** What is called back in a millisecond or so. */
    let soon: (() => void) | undefined;

    beforeEach(() => {
      soon = undefined;
      const calls: LogCalls = {
        ...held.calls,
        soon: (callback) => {
          soon = callback;
          return () => (soon = undefined);
        },
      };
      sync = new LogSync(take, calls);
    });

    function putOff(byte: number): Promise<void> {
      toWrite.push(byte);
      return sync.writtenSoon();
    }

    test("goes with what is written next", async () => {
      const first = putOff(1);
      const second = putOff(2);
      expect([await stateOf(first), held.written, sync.isSettled]).toEqual(["waits", [], false]);
      expect(await stateOf(write(3))).toBe("on disk");
      expect([await stateOf(first), await stateOf(second), held.written]).toEqual([
        "on disk",
        "on disk",
        ["now 1,2,3"],
      ]);
      expect([soon, sync.isSettled]).toEqual([undefined, true]);
    });

    test("goes by itself if nothing comes", async () => {
      const first = putOff(1);
      soon?.();
      expect([await stateOf(first), held.written]).toEqual(["on disk", ["now 1"]]);
    });

    test("goes at once when somebody asks whether everything is on disk", async () => {
      const first = putOff(1);
      expect(await stateOf(sync.settled())).toBe("on disk");
      expect([await stateOf(first), held.written, soon]).toEqual(["on disk", ["now 1"], undefined]);
    });

    test("goes with the next write where one is under way", async () => {
      await slowDown();
      const running = write(1);
      const second = putOff(2);
      held.end();
      expect([await stateOf(running), await stateOf(second), soon]).toEqual(["on disk", "waits", undefined]);
      held.end();
      expect(await stateOf(second)).toBe("on disk");
    });

    test("hears of something else that was lost", async () => {
      const first = putOff(1);
      sync.lose(new Error("EIO"), "tq.db-wal");
      expect(await stateOf(first)).toContain("tq.db-wal: EIO");
      expect([soon, held.written]).toEqual([undefined, []]);
    });

    test("hears of a disk that fails", async () => {
      const first = putOff(1);
      held.failsNow = true;
      expect(await stateOf(write(2))).toContain("EIO");
      expect(await stateOf(first)).toContain("EIO");
      expect(await stateOf(putOff(3))).toContain("EIO");
    });
  });
});

test("the system's own calls write all of it, where it belongs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tq-log-"));
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  try {
    systemCalls.writeNow(fd, Buffer.from("later"), 5);
    await new Promise<void>((resolve, reject) => {
      systemCalls.writeLater(fd, Buffer.from("first"), 0, (error) => (error === null ? resolve() : reject(error)));
    });
    expect(readFileSync(path, "utf8")).toBe("firstlater");
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});
