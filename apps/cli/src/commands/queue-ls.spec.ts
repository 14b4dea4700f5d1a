import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { TaskQueueKind, WaitReason } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

const twoPages: World = {
  operator: {
    listTaskQueues: ({ pageToken }) =>
      pageToken === ""
        ? {
            taskQueues: [
              {
                taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY },
                counts: { ready: 12n, scheduled: 1n, started: 0n, dead: 3n },
                oldestReadyAge: durationFromMs(252_000),
                liveWorkers: 0,
                reason: { reason: WaitReason.NO_WORKERS, count: 12n, hint: "No live worker polls it; start one." },
              },
            ],
            nextPageToken: "next",
          }
        : {
            taskQueues: [
              {
                taskQueue: { name: "engine", kind: TaskQueueKind.WORKFLOW },
                liveWorkers: 2,
                paused: true,
                draining: true,
              },
              {
                taskQueue: { name: "halted", kind: TaskQueueKind.ACTIVITY },
                paused: true,
                reason: { reason: WaitReason.PAUSED, hint: "alice paused it." },
              },
            ],
          },
  },
};

test("parses kind and prefix", async () => {
  expect((await parsed(["queue", "ls"])).options).toEqual({});
  expect((await parsed(["queue", "ls", "--kind", "workflow", "--prefix", "or"])).options).toEqual({
    kind: "workflow",
    prefix: "or",
  });
});

test("lists the queues of all pages, aligned", async () => {
  const { code, stdout, stderr } = await tq(["queue", "ls"], twoPages);
  expect(stdout.split("\n")).toEqual([
    "QUEUE   KIND      READY  SCHEDULED  STARTED  DEAD  OLDEST  WORKERS  WHY TASKS WAIT",
    "demo    activity     12          1        0     3  4m 12s        0  NO_WORKERS: No live worker polls it; start one.",
    "engine  workflow      -          -        -     0       -        2  paused; draining: refuses adds",
    "halted  activity      -          -        -     0       -        0  PAUSED: alice paused it.",
    "",
  ]);
  expect([code, stderr]).toEqual([0, ""]);
});

test("prints JSON with the contract's names, and numbers as numbers", async () => {
  const { code, stdout } = await tq(["queue", "ls", "-o", "json"], twoPages);
  expect(JSON.parse(stdout)).toMatchObject({
    taskQueues: [
      {
        taskQueue: { name: "demo", kind: "ACTIVITY" },
        counts: { ready: 12, scheduled: 1, started: 0, dead: 3 },
        oldestReadyAge: "252s",
        liveWorkers: 0,
        paused: false,
        reason: { reason: "NO_WORKERS" },
      },
      { taskQueue: { name: "engine", kind: "WORKFLOW" }, paused: true, draining: true },
      { taskQueue: { name: "halted" }, reason: { reason: "PAUSED" } },
    ],
  });
  expect(code).toBe(0);
});

test("says on stderr that there are none, and what to type", async () => {
  const operator: World["operator"] = { listTaskQueues: () => ({}) };
  const inRepository = { npm_lifecycle_event: "tq" };
  expect(await tq(["queue", "ls"], { operator, env: inRepository })).toEqual({
    code: 0,
    stdout: "",
    stderr: `No queues yet; add a task with: pnpm tq task add demo greet '"world"'\n`,
  });
  expect((await tq(["queue", "ls", "-o", "json"], { operator })).stdout).toBe('{\n  "taskQueues": []\n}\n');
  const filtered = await tq(["queue", "ls", "--prefix", "x"], { operator });
  expect(filtered.stderr).toMatch(/^No queue matches/);
});

test("asks for what was given", async () => {
  const asked: unknown[] = [];
  const operator: World["operator"] = {
    listTaskQueues: ({ namespace, namePrefix, kind }) => (asked.push({ namespace, namePrefix, kind }), {}),
  };
  await tq(["-n", "shop", "queue", "ls", "--prefix", "or", "--kind", "activity"], { operator });
  expect(asked).toEqual([{ namespace: "shop", namePrefix: "or", kind: TaskQueueKind.ACTIVITY }]);
});
