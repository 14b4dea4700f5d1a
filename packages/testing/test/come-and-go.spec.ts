/* Ten thousand queues that come and go leave no row in any table and no entry on the heap. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { getHeapSnapshot, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createClient } from "@connectrpc/connect";
import { OperatorService, TaskQueueKind, TaskService, WorkerService } from "@tq/proto";
import { TestServer } from "@tq/testing";
import { expect, test } from "vitest";

const queues = 10_000;
/** As many as a poll may name. */
const atOnce = 100;
/** What everything that comes and goes is named after, and what stays. */
const prefixes = ["queue-that-goes-", "task-that-goes-", "worker-that-goes-", "poll-that-goes-", "request-that-goes-"];
const staying = "name-that-stays-";

/** How many names of each prefix something on the heap still refers to. */
async function namesOnHeap(): Promise<Record<string, number>> {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
  const found = new Map([...prefixes, staying].map((prefix) => [prefix, new Set<string>()]));
  let text = "";
  for await (const chunk of getHeapSnapshot()) {
    text = text.slice(-100) + String(chunk);
    for (const [prefix, names] of found) {
      for (const [name] of text.matchAll(new RegExp(`${prefix}\\d+`, "g"))) names.add(name);
    }
  }
  return Object.fromEntries([...found].map(([prefix, names]) => [prefix, names.size]));
}

/** How many rows each table of a store has, by a copy of it. */
async function rowsByTable(server: TestServer): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "tq-rows-"));
  const path = join(folder, "copy.db");
  try {
    for await (const _ of createClient(OperatorService, server.transport).backupServer({ path }));
    const db = new DatabaseSync(path, { readOnly: true });
    const tables = db.prepare("select name from sqlite_master where type = 'table'").all();
    const counts = tables.map(({ name }) => {
      const row = db.prepare(`select count(*) as rows from "${String(name)}"`).get();
      return [String(name), Number(row?.["rows"])] as const;
    });
    db.close();
    return Object.fromEntries(counts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** So many queues are used by a worker, each for one task. In a function, so that nothing of it stays on the stack. */
async function comeAndGo(server: TestServer, from: number): Promise<void> {
  const tasks = createClient(TaskService, server.transport);
  const workers = createClient(WorkerService, server.transport);
  const kind = TaskQueueKind.ACTIVITY;
  const taskQueues = Array.from({ length: atOnce }, (_, i) => ({ name: `queue-that-goes-${from + i}`, kind }));
  const worker = { workerId: `worker-that-goes-${from}` };
  const fallback = { taskQueue: { name: "pool" } };
  await tasks.addTasks({
    requestId: `request-that-goes-${from}`,
    tasks: taskQueues.map((taskQueue, i) => ({
      id: `task-that-goes-${from + i}`,
      taskQueue,
      type: "t",
      fairnessKey: "k",
      serialKey: `s${i}`,
      fallback,
    })),
  });
  const { tasks: got } = await workers.pollTasks({
    worker,
    taskQueues,
    pollId: `poll-that-goes-${from}`,
    maxTasks: atOnce,
    taskQueueRatePerSecond: 1_000,
    confirmWithin: { seconds: 5n },
    wait: { seconds: 0n },
  });
  expect(got).toHaveLength(atOnce);
  await workers.renewLeases({ worker, tokens: got.map(({ token }) => token) });
  const answers = got.map(({ token }) => ({ token, answer: { case: "completed" as const, value: {} } }));
  await workers.respondTasks({ workerId: worker.workerId, answers });
}

test(
  "ten thousand queues that come and go leave no row, and of all their names the greatest two ids on the heap",
  { timeout: 120_000 },
  async () => {
    const server = await TestServer.start();
    try {
      const empty = await rowsByTable(server);
      for (let from = 0; from < queues; from += atOnce) await comeAndGo(server, from);
      const operator = createClient(OperatorService, server.transport);
      expect((await operator.listTaskQueues({ pageSize: 1_000 })).nextPageToken).not.toBe("");
      // Completed tasks are kept for an hour, request ids for ten minutes, a worker lives for 15 s.
      for (let minute = 0; minute < 65; minute++) await server.clock.advance(60_000);
      // The first look was a backup, which leaves an event.
      expect(await rowsByTable(server)).toEqual({ ...empty, event: 1 });
      // Something that stays: so it is known that what is there would be found.
      const taskQueue = { name: `${staying}1`, kind: TaskQueueKind.ACTIVITY };
      await createClient(TaskService, server.transport).addTasks({ tasks: [{ taskQueue, type: "t" }] });
      const none = prefixes.map((prefix) => [prefix, 0] as const);
      // Of all the ids of a namespace the greatest is known, so that those above it need not be looked for.
      const greatest = { "request-that-goes-": 1, "task-that-goes-": 1 };
      expect(await namesOnHeap()).toEqual({ ...Object.fromEntries(none), ...greatest, [staying]: 1 });
    } finally {
      await server.stop();
    }
  },
);
