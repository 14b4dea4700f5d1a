import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { TaskQueueKind, WaitReason } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

const described: World = {
  operator: {
    describeTaskQueue: ({ taskQueue }) => ({
      taskQueues: [
        {
          taskQueue: { name: taskQueue!.name, kind: TaskQueueKind.ACTIVITY },
          counts: { ready: 7n, scheduled: 1n, started: 2n, dead: 0n },
          countsByPriority: { 1: { ready: 2n }, 3: { ready: 5n, scheduled: 1n, started: 2n } },
          countsByType: { greet: { ready: 5n, started: 2n }, bill: { ready: 2n, scheduled: 1n } },
          oldestReadyAge: durationFromMs(3_725_000),
          addsPerSecond: 3.24,
          dispatchesPerSecond: 1,
          wantedSlots: 4,
          reasons: [
            {
              reason: WaitReason.MISSING_TYPE,
              count: 2n,
              since: timestampFromMs(nowMs - 90_000),
              hint: 'No live worker of this queue has registered "bill".',
            },
            { reason: WaitReason.PAUSED, count: 5n, hint: "An operator paused it." },
          ],
          workers: [
            {
              workerId: "w1",
              identity: "4711@host",
              buildId: "v2",
              lastSeen: timestampFromMs(nowMs - 2_000),
              freeSlots: 0,
              started: 2,
              status: { activitySlots: 2, activitySlotsUsed: 2 },
            },
            { workerId: "w2", draining: true },
          ],
          registrationDifferences: [{ type: "greet", workerIdsWith: ["w1"], workerIdsWithout: ["w2"] }],
          config: { revision: 3n, ratePerSecond: 10, fairnessKeys: { big: { weight: 2 } } },
          pause: {
            actor: "alice",
            reason: "deploy",
            since: timestampFromMs(nowMs - 60_000),
            until: timestampFromMs(nowMs + 600_000),
          },
          drain: { actor: "bob", since: timestampFromMs(nowMs - 120_000) },
        },
        { taskQueue: { name: taskQueue!.name, kind: TaskQueueKind.WORKFLOW }, config: {} },
      ],
    }),
  },
};

test("parses the queue and a kind, and wants the queue", async () => {
  expect((await parsed(["queue", "describe", "demo"])).options).toEqual({ queue: "demo" });
  expect((await parsed(["queue", "describe", "demo", "--kind", "activity"])).options).toEqual({
    queue: "demo",
    kind: "activity",
  });
  expect(await tq(["queue", "describe"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'QUEUE'") as string,
  });
});

test("asks for both kinds unless told which", async () => {
  const kinds: TaskQueueKind[] = [];
  const operator: World["operator"] = { describeTaskQueue: ({ taskQueue }) => (kinds.push(taskQueue!.kind), {}) };
  await tq(["queue", "describe", "demo"], { operator });
  await tq(["queue", "describe", "demo", "--kind", "workflow"], { operator });
  expect(kinds).toEqual([TaskQueueKind.UNSPECIFIED, TaskQueueKind.WORKFLOW]);
});

test("shows all of it", async () => {
  const { code, stdout } = await tq(["queue", "describe", "demo"], described);
  expect(code).toBe(0);
  expect(stdout).toBe(`demo (activity)
tasks          7 ready, 1 scheduled, 2 started, 0 dead
oldest ready   1h 2m
rates          3.2/s added, 1/s dispatched (over 30 s)
wanted slots   4
paused         since 2026-01-31T11:59:00.000Z (1m ago) until 2026-01-31T12:10:00.000Z (in 10m) by alice: deploy
refuses adds   since 2026-01-31T11:58:00.000Z (2m ago) by bob
rate           10/s
fairness keys  big: weight 2

Why tasks wait
  MISSING_TYPE 2 tasks, for 1m 30s
    No live worker of this queue has registered "bill".
  PAUSED 5 tasks
    An operator paused it.

By type
  TYPE   READY  SCHEDULED  STARTED  DEAD
  bill       2          1        0     0
  greet      5          0        2     0

By priority
  PRIORITY  READY  SCHEDULED  STARTED  DEAD
  1             2          0        0     0
  3             5          1        2     0

Live workers
  WORKER  IDENTITY   BUILD  FREE  STARTED  SLOTS USED                  LAST SEEN  NOTE
  w1      4711@host  v2        0        2  2/2 activity, 0/0 workflow  2s ago     -
  w2      -          -         0        0  -                           -          draining

Registration differences
  TYPE   HAVE IT             HAVE IT NOT
  greet  w1 (4711@host, v2)  w2

demo (workflow): nothing open or dead, no live workers, nothing configured
`);
});

test("prints the whole description as JSON", async () => {
  const { code, stdout } = await tq(["queue", "describe", "demo", "-o", "json"], described);
  const { taskQueues } = JSON.parse(stdout) as { taskQueues: Record<string, unknown>[] };
  expect(code).toBe(0);
  expect(taskQueues).toHaveLength(2);
  expect(taskQueues[0]).toMatchObject({
    countsByType: { bill: { ready: 2, scheduled: 1, started: 0, dead: 0 } },
    countsByPriority: { "1": { ready: 2 } },
    reasons: [{ reason: "MISSING_TYPE", count: 2, since: "2026-01-31T11:58:30Z" }, { reason: "PAUSED" }],
    pause: { reason: "deploy", until: "2026-01-31T12:10:00Z" },
    drain: { actor: "bob" },
    registrationDifferences: [{ type: "greet", workerIdsWith: ["w1"], workerIdsWithout: ["w2"] }],
    config: { revision: 3, ratePerSecond: 10 },
  });
});
