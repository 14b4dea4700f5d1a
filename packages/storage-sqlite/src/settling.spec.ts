import type { OperationResult } from "@tq/storage";
import { Driver, newTask } from "@tq/storage/exercise";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FailingStatements } from "../test/failing.ts";
import { sqlite } from "../test/home.ts";

/** Which statement fails, and how often still. */
let failing: { readonly sql: string; times: number };
let statements: FailingStatements;
let d: Driver;

beforeEach(async () => {
  failing = { sql: "", times: 0 };
  statements = new FailingStatements((sql) => {
    if (failing.times === 0 || !sql.includes(failing.sql)) return undefined;
    failing.times -= 1;
    return "rolled back";
  });
  statements.start();
  d = await Driver.open(sqlite);
});
afterEach(async () => {
  await d.dispose();
  statements.stop();
});

async function turnOfEvents(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

/** Without a look into the file, which would settle. */
async function add(...ids: string[]): Promise<readonly OperationResult[]> {
  const { results } = await d.store.commit({
    lease: d.lease,
    now: d.now,
    operations: ids.map((id) => ({
      verb: "add",
      tasks: [newTask({ id })],
      request: { namespace: "default", id: `request of ${id}` },
    })),
    plan: () => ({ offers: [], claims: [] }),
  });
  return results;
}

it.each(["insert into request", "insert into chunk_body", "update shard", "commit"])(
  "loses no commit if what is written between two of them fails, and all of it is taken back: %s",
  async (sql) => {
    const ids = Array.from({ length: 40 }, (_, i) => `t${i}`);
    for (const [i, id] of ids.entries()) {
      await add(id);
      failing = { sql, times: i % 2 };
      await turnOfEvents();
      failing.times = 0;
    }
    expect(statements.failed).toBeGreaterThan(0);
    expect((await d.store.getTasks("default", ids)).map((task) => task?.id)).toEqual(ids);
    await d.home.checkInvariants?.(d.store);
    await d.crash();
    expect((await d.store.getTasks("default", ids)).map((task) => task?.id)).toEqual(ids);
  },
);

it("loses no commit if what many request ids are written with fails", async () => {
  const ids = Array.from({ length: 40 }, (_, i) => `t${i}`);
  failing = { sql: "insert into request", times: 1 };
  const added = await add(...ids);
  await turnOfEvents();
  expect(statements.failed).toBe(1);
  await add("behind");
  expect((await d.store.getTasks("default", [...ids, "behind"])).every((task) => task !== undefined)).toBe(true);
  await d.crash();
  // The answers to their request ids, too: those of other calls would say that the tasks were there.
  expect(await add(...ids)).toEqual(added);
  expect((await d.describe()).counts.ready).toBe(41);
  await d.home.checkInvariants?.(d.store);
});

it("refuses commits as long as it cannot settle, loses nothing, and goes on", async () => {
  for (let i = 0; i < 7; i++) await add(`t${i}`);
  failing = { sql: "update shard", times: Infinity };
  await turnOfEvents();
  await expect(add("refused")).rejects.toMatchObject({ code: "unavailable" });
  await expect(add("refused")).rejects.toMatchObject({ code: "unavailable" });
  failing.times = 0;
  await add("t7");
  const ids = Array.from({ length: 8 }, (_, i) => `t${i}`);
  expect((await d.store.getTasks("default", [...ids, "refused"])).map((task) => task?.id)).toEqual([...ids, undefined]);
  await d.home.checkInvariants?.(d.store);
});

it("a read that cannot write what it must loses nothing", async () => {
  for (let i = 0; i < 3; i++) await add(`t${i}`);
  failing = { sql: "insert into age", times: 1 };
  await expect(d.describe()).rejects.toMatchObject({ code: "unavailable" });
  expect((await d.describe()).counts.ready).toBe(3);
  await d.home.checkInvariants?.(d.store);
});

it("a close that cannot settle leaves the commits in the journal", async () => {
  for (let i = 0; i < 3; i++) await add(`t${i}`);
  failing = { sql: "insert into age", times: 1 };
  await d.reopen();
  expect(failing.times).toBe(0);
  expect(await d.claimIds()).toEqual(["t0", "t1", "t2"]);
});
