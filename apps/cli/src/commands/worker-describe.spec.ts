import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskQueueKind } from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import { expect, test } from "vitest";
import { json } from "../../test/messages.ts";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

const demo = { name: "demo", kind: TaskQueueKind.ACTIVITY };
const described: World = {
  operator: {
    describeWorker: ({ workerId }) => ({
      worker: {
        workerId,
        identity: "4711@host",
        buildId: "v2",
        firstSeen: timestampFromMs(nowMs - 3_600_000),
        lastSeen: timestampFromMs(nowMs - 2_000),
        live: true,
        draining: true,
        taskQueues: [demo, { name: "engine", kind: TaskQueueKind.WORKFLOW }],
        registrations: { activityTypes: ["bill", "greet\n"], workflowTypes: [] },
        status: { activitySlots: 4, activitySlotsUsed: 2 },
        started: 2,
        heldTasks: [
          {
            id: "t1",
            taskQueue: demo,
            type: "greet",
            attempt: 2,
            startedAt: timestampFromMs(nowMs - 60_000),
            heartbeatDetails: json('{"row":7}'),
          },
        ],
      },
    }),
  },
};

test("parses the id, and wants it", async () => {
  expect((await parsed(["worker", "describe", "w1"])).options).toEqual({ id: "w1" });
  expect(await tq(["worker", "describe"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'ID'") as string,
  });
});

test("shows all of it", async () => {
  const { code, stdout } = await tq(["worker", "describe", "w1"], described);
  expect(stdout).toBe(`worker          w1
state           live, draining
identity        4711@host
build           v2
first seen      2026-01-31T11:00:00.000Z (1h ago)
last seen       2026-01-31T11:59:58.000Z (2s ago)
slots used      2/4 activity, 0/0 workflow
queues          demo (activity)
                engine (workflow)
activity types  bill, greet\\n
workflow types  none
holds           2 tasks

The first 1 of them
  ID  QUEUE            TYPE   ATTEMPT  STARTED  LAST HEARTBEAT
  t1  demo (activity)  greet        2  1m ago   {"row":7}
`);
  expect(code).toBe(0);
});

test("says of one that is gone, and of one that takes every type", async () => {
  const operator: World["operator"] = { describeWorker: ({ workerId }) => ({ worker: { workerId } }) };
  const { stdout } = await tq(["worker", "describe", "w1"], { operator });
  expect(stdout).toBe(
    "worker      w1\nstate       gone: it has not called for 15 s\nregistered  nothing: it takes every type\nholds       0 tasks\n",
  );
});

test("prints JSON", async () => {
  const { stdout } = await tq(["worker", "describe", "w1", "-o", "json"], described);
  expect(JSON.parse(stdout)).toMatchObject({
    worker: { workerId: "w1", draining: true, heldTasks: [{ id: "t1", heartbeatDetails: { row: 7 } }] },
  });
});

test("says where to look if there is none, and exits 1", async () => {
  const describeWorker = () => {
    const info = { desc: ErrorInfoSchema, value: { domain: "tq", reason: "WORKER_NOT_FOUND" } };
    throw new ConnectError("no worker w9", Code.NotFound, undefined, [info]);
  };
  expect(await tq(["worker", "describe", "w9"], { operator: { describeWorker } })).toEqual({
    code: 1,
    stdout: "",
    stderr: "tq: no worker w9\n`tq worker ls` lists them.\n",
  });
});
