import { activities, Driver, newTask, type Harness } from "@tq/storage/exercise";
import { expect, it } from "vitest";
import { FailingStatements } from "../test/failing.ts";
import { SqliteHome } from "../test/home.ts";
import { syncedAtOnce } from "./journal/log-sync.ts";

/** Without the checker, which looks at everything after every commit: it is asked when the time has come. */
function uncheckedIn(home: SqliteHome): Harness {
  return {
    home: async () => ({
      store: () => home.store(),
      crash: () => home.crash(),
      takeOver: () => home.takeOver(),
      dispose: () => home.dispose(),
    }),
  };
}

/** How often a chunk is read from the file. */
class ChunkReads {
  count = 0;
  readonly #statements = new FailingStatements((sql) => {
    if (sql.includes("join chunk_body")) this.count += 1;
    return undefined;
  });

  static begin(): ChunkReads {
    const reads = new ChunkReads();
    reads.#statements.start();
    return reads;
  }

  end(): void {
    this.#statements.stop();
  }
}

const unchecked: Harness = { home: () => uncheckedIn(new SqliteHome()).home() };

/** More than are held in memory: 10,000 queues, and 50,000 keys' passes and lanes. */
it("goes on as before with queues that it let go of in between", { timeout: 60_000 }, async () => {
  const home = new SqliteHome();
  const d = await Driver.open(uncheckedIn(home));
  try {
    const names = Array.from({ length: 10_500 }, (_, i) => `q${i}`);
    for (const round of [1, 2]) {
      for (let i = 0; i < names.length; i += 1_500) {
        const tasks = names
          .slice(i, i + 1_500)
          .map((name) => newTask({ id: `${name}/${round}`, queue: { ...activities, name } }));
        await d.run({ verb: "add", tasks });
      }
    }
    for (const name of ["q0", "q5000", "q10499"]) {
      const queue = { ...activities, name };
      expect((await d.describe(queue)).counts.ready).toBe(2);
      expect(await d.claimIds({ queue })).toEqual([`${name}/1`, `${name}/2`]);
    }
    // One that was let go of is one and the same, however it is found: by its name, and by what a task of it says.
    const queue = { ...activities, name: "q1" };
    await d.complete(await d.claimOne({ queue }));
    await d.run({ verb: "add", tasks: [newTask({ id: "q1/3", queue })] });
    expect((await d.describe(queue)).counts).toMatchObject({ ready: 2, started: 0 });
    await home.checkInvariants(d.store);
  } finally {
    await d.dispose();
  }
});

it("keeps what is left where most chunks of one task came and went before they were written", async () => {
  // Settled after many commits, as usual.
  const home = new SqliteHome({ logCalls: syncedAtOnce });
  const d = await Driver.open(uncheckedIn(home));
  try {
    const ids = Array.from({ length: 100 }, (_, i) => `t${i}`);
    for (const id of ids) await d.add({ id, type: id, retentionMs: 0 });
    // From the front, the end and the middle, one by one: what is late is gone through more than once.
    const goes = ids.filter((_, i) => i < 30 || i >= 80 || i % 2 === 0);
    const left = ids.filter((id) => !goes.includes(id));
    for (const id of [...goes.slice(0, 20), ...goes.slice(40), ...goes.slice(20, 40)]) {
      await d.complete(await d.claimOne({ types: [id] }));
      expect(await d.state(id)).toBe("gone");
    }
    const each = <T>(value: T): T[] => left.map(() => value);
    expect(await d.states(...left)).toEqual(each("ready"));
    expect((await d.describe()).counts.ready).toBe(left.length);
    await home.checkInvariants(d.store);
    await d.crash();
    expect(await d.states(...left)).toEqual(each("ready"));
    expect(await d.claimIds({ slots: 100 })).toEqual(left);
  } finally {
    await d.dispose();
  }
});

it("keeps every key's order and share over more keys than it holds", { timeout: 60_000 }, async () => {
  const d = await Driver.open(unchecked);
  try {
    // The first key is heavy at once, and its lane and pass are let go of while the others come.
    const first = { fairnessKey: "first", fairnessWeight: 1 };
    await d.run({ verb: "add", tasks: Array.from({ length: 250 }, (_, i) => newTask({ id: `a${i}`, ...first })) });
    for (let i = 0; i < 52_000; i += 2_000) {
      const tasks = Array.from({ length: 2_000 }, (_, j) =>
        newTask({ id: `k${i + j}`, fairnessKey: `k${i + j}`, type: "other" }),
      );
      await d.run({ verb: "add", tasks });
    }
    await d.run({ verb: "add", tasks: Array.from({ length: 50 }, (_, i) => newTask({ id: `b${i}`, ...first })) });
    const ids = await d.claimIds({ slots: 400, types: ["t"] });
    expect(ids).toEqual([
      ...Array.from({ length: 250 }, (_, i) => `a${i}`),
      ...Array.from({ length: 50 }, (_, i) => `b${i}`),
    ]);
  } finally {
    await d.dispose();
  }
});

it("lets go of what was read while a transaction of SQLite's goes on", { timeout: 60_000 }, async () => {
  const reads = ChunkReads.begin();
  const d = await Driver.open(unchecked);
  try {
    // Twice as much as is held, in chunks of 128 KiB.
    for (let i = 0; i < 1_024; i += 128) {
      const tasks = Array.from({ length: 128 }, (_, j) => newTask({ id: `t${i + j}`, input: new Uint8Array(16_000) }));
      await d.run({ verb: "add", tasks });
    }
    await d.reopen();
    await d.add({ id: "small" });
    const list = async () => {
      const before = reads.count;
      const page = { size: 2_000, examine: 2_000, maxBytes: 1e9 };
      expect((await d.store.listTasks("default", {}, page)).items).toHaveLength(1_025);
      return reads.count - before;
    };
    expect(await list()).toBeGreaterThan(120);
    expect(await list()).toBeGreaterThan(50);
    await d.claim({ slots: 1 });
    const claimed = reads.count;
    for (let i = 0; i < 5; i++) await d.claim({ slots: 1_000 });
    expect(reads.count - claimed).toBeGreaterThan(50);
    expect(await list()).toBeGreaterThan(50);
  } finally {
    await d.dispose();
    reads.end();
  }
});

it(
  "holds no more of chunks of one task than of others, whatever these have beside their inputs",
  { timeout: 60_000 },
  async () => {
    const reads = ChunkReads.begin();
    const d = await Driver.open(unchecked);
    try {
      // Twice as much as is held, each task in a queue of its own.
      const context = new Uint8Array(14_000);
      for (let i = 0; i < 1_200; i += 100) {
        const tasks = Array.from({ length: 100 }, (_, j) =>
          newTask({
            id: `t${i + j}`,
            queue: { ...activities, name: `q${i + j}` },
            onClose: { queueName: "w", type: "closed", context },
          }),
        );
        await d.run({ verb: "add", tasks });
      }
      const list = async () => {
        const page = { size: 2_000, examine: 2_000, maxBytes: 1e9 };
        expect((await d.store.listTasks("default", {}, page)).items).toHaveLength(1_200);
      };
      await list();
      const before = reads.count;
      await list();
      expect(reads.count - before).toBeGreaterThan(500);
    } finally {
      await d.dispose();
      reads.end();
    }
  },
);

it("counts by counters that came to nothing before as by new ones, also after a crash", async () => {
  const home = new SqliteHome({ logCalls: syncedAtOnce });
  const d = await Driver.open(uncheckedIn(home));
  try {
    // What is listed is in the file, so counters are settled for it.
    const settle = () => d.store.listTaskQueues("default", { namePrefix: "" }, { size: 10 });
    for (const id of ["a", "b", "c"]) {
      await d.add({ id, retentionMs: 0 });
      if (id === "b") await settle();
      expect((await d.describe()).counts).toMatchObject({ ready: 1, started: 0 });
      await d.complete(await d.claimOne());
      if (id === "a") await settle();
    }
    await d.add({ id: "d" });
    await d.crash();
    expect((await d.describe()).counts).toMatchObject({ ready: 1, started: 0 });
    await home.checkInvariants(d.store);
  } finally {
    await d.dispose();
  }
});
