import { taskQueueKey } from "@tq/matching-core";
import { OperatorService, TaskQueueKind } from "@tq/proto";
import type { HeldTaskRecord } from "@tq/storage";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeWorker } from "../../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { encodePayload } from "../../translation/payload-codec.ts";
import { toTimestamp } from "../../translation/time.ts";

const queue = fakeActivityQueue("q");
const queues = new Map([[taskQueueKey(queue), { queue }]]);

function held(id: string, more: Partial<HeldTaskRecord> = {}): HeldTaskRecord {
  return { id, queue, type: "t", attempt: 2, startedAt: fakeNow - 1_000, ...more };
}

function text(value: string): Uint8Array {
  const body = { case: "text", value } as const;
  return encodePayload({ $typeName: "tq.v1.Payload", contentType: "", metadata: {}, body });
}

describe("ListWorkers", () => {
  it("lists who lives and who holds tasks, page by page, in order", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.workers.push(fakeWorker("d"), fakeWorker("b"), fakeWorker("x", { namespace: "other" }));
    for (const [workerId, count] of [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ] as const) {
      matching.startedByWorker.set(workerId, count);
    }
    for (const pageSize of [1, 2, 3, 100]) {
      const seen: unknown[] = [];
      for (let pageToken: string | undefined = ""; pageToken !== undefined;) {
        const page: Awaited<ReturnType<typeof client.listWorkers>> = await client.listWorkers({ pageSize, pageToken });
        seen.push(...page.workers.map(({ workerId, live, started }) => `${workerId} ${live} ${started}`));
        pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
      }
      expect(seen).toEqual(["a false 1", "b true 2", "c false 3", "d true 0"]);
    }
  });

  it("lists those of one queue: who polls it, and who holds tasks of it", async () => {
    const { client, matching } = inMemory(OperatorService);
    const workers = [fakeWorker("b", { queues })];
    matching.workers.push(...workers, fakeWorker("elsewhere"));
    matching.activities.set(taskQueueKey(queue), { addsPerSecond: 0, dispatchesPerSecond: 0, workers });
    matching.queues.push(fakeQueue(queue, { startedByWorker: new Map([["a", 1]]) }));
    matching.startedByWorker.set("a", 4).set("elsewhere", 1);
    for (const kind of [TaskQueueKind.UNSPECIFIED, TaskQueueKind.ACTIVITY]) {
      const { workers: listed } = await client.listWorkers({ taskQueue: { name: "q", kind } });
      expect(listed.map(({ workerId, started }) => [workerId, started])).toEqual([
        ["a", 4],
        ["b", 0],
      ]);
    }
    const { workers: none } = await client.listWorkers({ taskQueue: { name: "q", kind: TaskQueueKind.WORKFLOW } });
    expect(none).toEqual([]);
  });

  it("makes a page shorter where workers have many types", async () => {
    const { client, matching } = inMemory(OperatorService, { maxReplyBytes: 5_000 });
    const activity = Array.from({ length: 100 }, (_, i) => `type-${i}`);
    for (const id of ["a", "b", "c"]) {
      matching.workers.push(fakeWorker(id, { registrations: { activity, workflow: [] } }));
    }
    const first = await client.listWorkers({});
    expect(first.workers.map(({ workerId }) => workerId)).toEqual(["a"]);
    const second = await client.listWorkers({ pageToken: first.nextPageToken });
    expect(second.workers.map(({ workerId }) => workerId)).toEqual(["b"]);
  });

  it("refuses a page that is too long, and a reserved name", async () => {
    const { client } = inMemory(OperatorService);
    const call = client.listWorkers({ pageSize: 1_001, taskQueue: { name: "tq.x" } });
    expect((await refusalOf(call)).fields.sort()).toEqual(["page_size", "task_queue.name"]);
    expect(await refusalOf(client.listWorkers({ pageToken: "garbage" }))).toMatchObject({ fields: ["page_token"] });
  });
});

describe("DescribeWorker", () => {
  it("tells everything that is known of a live worker", async () => {
    const { client, matching } = inMemory(OperatorService);
    const status = { activitySlots: 3, activitySlotsUsed: 1, workflowSlots: 0, workflowSlotsUsed: 0 };
    const details = text("50 %");
    matching.workers.push(
      fakeWorker("w", {
        identity: "me",
        buildId: "v1",
        draining: true,
        status,
        queues,
        registrations: { activity: ["t"], workflow: [] },
      }),
    );
    matching.startedByWorker.set("w", 1);
    matching.held.set("w", [held("a", { heartbeatDetails: details })]);
    expect((await client.describeWorker({ workerId: "w" })).worker).toMatchObject({
      workerId: "w",
      identity: "me",
      buildId: "v1",
      live: true,
      draining: true,
      lastSeen: toTimestamp(fakeNow),
      taskQueues: [{ name: "q", kind: TaskQueueKind.ACTIVITY }],
      registrations: { activityTypes: ["t"] },
      status,
      started: 1,
      heldTasks: [
        {
          id: "a",
          type: "t",
          attempt: 2,
          startedAt: toTimestamp(fakeNow - 1_000),
          heartbeatDetails: { body: { value: "50 %" } },
        },
      ],
    });
  });

  it("tells of one that is gone what it still holds, as far as it fits", async () => {
    const { client, matching } = inMemory(OperatorService, { maxReplyBytes: 4_600 });
    matching.startedByWorker.set("gone", 3);
    const heartbeatDetails = text("x".repeat(2_000));
    matching.held.set("gone", [held("a", { heartbeatDetails }), held("b", { heartbeatDetails }), held("c")]);
    const { worker } = await client.describeWorker({ workerId: "gone" });
    expect(worker).toMatchObject({ live: false, started: 3 });
    expect(worker?.heldTasks.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("refuses one that neither lives nor holds anything", async () => {
    const { client } = inMemory(OperatorService);
    expect(await refusalOf(client.describeWorker({ workerId: "w" }))).toMatchObject({
      code: "NotFound",
      reason: "WORKER_NOT_FOUND",
    });
    expect(await refusalOf(client.describeWorker({}))).toMatchObject({ fields: ["worker_id"] });
  });
});

describe("DrainWorker", () => {
  it("remembers who asked, and tells the engine", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.workers.push(fakeWorker("w"));
    await client.drainWorker({ workerId: "w", action: { requestId: "r", actor: "alice", reason: "old" } });
    expect(matching.drainedWorkers).toEqual([
      {
        verb: "drain-worker",
        namespace: "default",
        workerId: "w",
        action: { actor: "alice", reason: "old", call: "DrainWorker", request: '{"workerId":"w"}' },
        request: { namespace: "default", id: "r" },
      },
    ]);
  });

  it("drains one that is silent and still holds tasks, and refuses one that nobody knows", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.startedByWorker.set("silent", 1);
    await client.drainWorker({ workerId: "silent" });
    expect((await client.describeWorker({ workerId: "silent" })).worker).toMatchObject({ live: false, draining: true });
    expect(await refusalOf(client.drainWorker({ workerId: "w" }))).toMatchObject({ reason: "WORKER_NOT_FOUND" });
    expect(matching.drainedWorkers).toHaveLength(1);
  });
});
