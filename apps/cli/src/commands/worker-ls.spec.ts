import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ListWorkersRequest, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

function twoPages(asked: ListWorkersRequest[] = []): World {
  return {
    operator: {
      listWorkers: (request) => {
        asked.push(request);
        if (request.pageToken !== "") return { workers: [{ workerId: "w2", started: 3, draining: true }] };
        const worker = {
          workerId: "w1",
          identity: "4711@host",
          buildId: "v2",
          lastSeen: timestampFromMs(nowMs - 2_000),
          live: true,
          taskQueues: [
            { name: "demo", kind: TaskQueueKind.ACTIVITY },
            { name: "demo", kind: TaskQueueKind.WORKFLOW },
          ],
          status: { activitySlots: 4, activitySlotsUsed: 1, workflowSlots: 2 },
          started: 1,
        };
        return { workers: [worker], nextPageToken: "next" };
      },
    },
  };
}

test("parses a queue and its kind", async () => {
  expect((await parsed(["worker", "ls"])).options).toEqual({});
  const { options } = await parsed(["worker", "ls", "--queue", "demo", "--kind", "activity"]);
  expect(options).toEqual({ queue: "demo", kind: "activity" });
});

test.each([
  [["--kind", "activity"], "needs --queue"],
  [["--queue", ""], "'--queue <name>' argument '' is invalid."],
  [["w1"], "too many arguments"],
])("refuses %j", async (argv, message) => {
  const { code, stderr } = await tq(["worker", "ls", ...argv]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("lists the workers of all pages, with those that are gone or draining", async () => {
  const { code, stdout } = await tq(["worker", "ls"], twoPages());
  expect(stdout.split("\n")).toEqual([
    "WORKER  IDENTITY   BUILD  STARTED  SLOTS USED                  LAST SEEN  NOTE            QUEUES",
    "w1      4711@host  v2           1  1/4 activity, 0/2 workflow  2s ago     -               demo (activity), demo (workflow)",
    "w2      -          -            3  -                           -          gone, draining  -",
    "",
  ]);
  expect(code).toBe(0);
});

test("asks for the workers of a queue", async () => {
  const asked: ListWorkersRequest[] = [];
  await tq(["worker", "ls"], twoPages(asked));
  await tq(["worker", "ls", "--queue", "demo"], twoPages(asked));
  await tq(["worker", "ls", "--queue", "demo", "--kind", "workflow"], twoPages(asked));
  expect(asked.filter(({ pageToken }) => pageToken === "").map(({ taskQueue }) => taskQueue)).toMatchObject([
    undefined,
    { name: "demo", kind: TaskQueueKind.UNSPECIFIED },
    { name: "demo", kind: TaskQueueKind.WORKFLOW },
  ]);
});

test("prints JSON", async () => {
  const { stdout } = await tq(["worker", "ls", "-o", "json"], twoPages());
  expect(JSON.parse(stdout)).toMatchObject({
    workers: [
      { workerId: "w1", live: true, lastSeen: "2026-01-31T11:59:58Z" },
      { workerId: "w2", live: false },
    ],
  });
});

test("says when there are none", async () => {
  const operator: World["operator"] = { listWorkers: () => ({}) };
  expect(await tq(["worker", "ls"], { operator })).toEqual({
    code: 0,
    stdout: "",
    stderr: "No live workers, and none that still holds tasks.\n",
  });
  expect((await tq(["worker", "ls", "--queue", "demo"], { operator })).stderr).toBe("No worker of that queue.\n");
});
