import { taskQueueKey } from "@tq/matching-core";
import { OperatorService, TaskQueueKind } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeWorker } from "../../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { collect } from "../../../test/streams.ts";

const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const notEmpty = { reason: "queue-not-empty", index: 0, subject: "q" } as const;
const action = { requestId: "r", actor: "alice", reason: "unused" };

describe("DeleteTaskQueue", () => {
  it("removes a queue that is empty, chunk by chunk, under one request id", async () => {
    const { client, matching } = inMemory(OperatorService);
    let left = 3;
    matching.onOperate = () => ({ verb: "delete-queue", existed: true, more: --left > 0 });
    const replies = await collect(client.deleteTaskQueue({ taskQueue, action }));
    expect(replies).toMatchObject([{ progress: { changed: 0n, done: true } }]);
    expect(matching.operations).toHaveLength(3);
    for (const operation of matching.operations) {
      expect(operation).toMatchObject({
        verb: "delete-queue",
        queue: fakeActivityQueue("q"),
        action: { actor: "alice", reason: "unused", call: "DeleteTaskQueue" },
        request: { id: "r\0delete" },
      });
    }
  });

  it("refuses one that has live workers, before anything is done", async () => {
    const { client, matching } = inMemory(OperatorService);
    const workers = [fakeWorker("w")];
    matching.activities.set(taskQueueKey(fakeActivityQueue("q")), {
      addsPerSecond: 0,
      dispatchesPerSecond: 0,
      workers,
    });
    expect(await refusalOf(collect(client.deleteTaskQueue({ taskQueue })))).toMatchObject({
      code: "FailedPrecondition",
      reason: "TASK_QUEUE_NOT_EMPTY",
    });
    expect(matching.operations).toEqual([]);
    expect(await collect(client.deleteTaskQueue({ taskQueue, purge: true }))).not.toEqual([]);
  });

  it("refuses one that has tasks", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.onOperate = () => ({ verb: "delete-queue", refused: notEmpty });
    expect(await refusalOf(collect(client.deleteTaskQueue({ taskQueue })))).toMatchObject({
      reason: "TASK_QUEUE_NOT_EMPTY",
    });
  });

  it("with purge: drains it, purges it in chunks, removes it", async () => {
    const { client, matching } = inMemory(OperatorService);
    const progress = [
      { examined: 500, changed: 400, skipped: 0 },
      { examined: 600, changed: 450, skipped: 0 },
    ];
    matching.onOperate = (operation) => {
      if (operation.verb === "drain") return { verb: "drain", drain: { actor: "", reason: "", since: 0 }, event: 7 };
      if (operation.verb === "delete-queue") return { verb: "delete-queue", existed: true, more: false };
      const [first, last] = progress;
      if (operation.verb !== "change-tasks") throw new Error(operation.verb);
      if (operation.cursor !== undefined) return { verb: "change-tasks", progress: last! };
      return { verb: "change-tasks", progress: first!, next: { after: "5", upTo: "9", progress: first! } };
    };
    const replies = await collect(client.deleteTaskQueue({ taskQueue, purge: true, silent: true, action }));
    expect(replies.map((reply) => [reply.progress?.changed, reply.progress?.done])).toEqual([
      [400n, false],
      [450n, false],
      [450n, true],
    ]);
    expect(matching.operations).toMatchObject([
      { verb: "drain", queue: fakeActivityQueue("q"), request: { id: "r\0drain" } },
      {
        verb: "change-tasks",
        namespace: "default",
        filter: { queueName: "q", queueKind: "activity" },
        change: { kind: "purge", silent: true },
        event: { id: 7, changed: 0 },
        request: { id: "r\0purge 0" },
      },
      { verb: "change-tasks", cursor: { after: "5" } },
      { verb: "delete-queue", event: { id: 7, changed: 450 } },
    ]);
  });

  it("purges again what was added meanwhile, and gives up where it does not end", async () => {
    const { client, matching } = inMemory(OperatorService);
    let refusals = 2;
    matching.onOperate = (operation) => {
      if (operation.verb === "drain") return { verb: "drain", drain: { actor: "", reason: "", since: 0 }, event: 7 };
      if (operation.verb === "change-tasks") {
        return { verb: "change-tasks", progress: { examined: 2, changed: 1, skipped: 0 } };
      }
      return refusals-- > 0
        ? { verb: "delete-queue", refused: notEmpty }
        : { verb: "delete-queue", existed: true, more: false };
    };
    const replies = await collect(client.deleteTaskQueue({ taskQueue, purge: true }));
    expect(replies.at(-1)).toMatchObject({ progress: { changed: 3n, done: true } });
    refusals = Infinity;
    expect(await refusalOf(collect(client.deleteTaskQueue({ taskQueue, purge: true })))).toMatchObject({
      reason: "TASK_QUEUE_NOT_EMPTY",
    });
  });

  it("refuses a call without a queue or its kind", async () => {
    const { client } = inMemory(OperatorService);
    expect(await refusalOf(collect(client.deleteTaskQueue({})))).toMatchObject({ fields: ["task_queue"] });
    expect(await refusalOf(collect(client.deleteTaskQueue({ taskQueue: { name: "q" } })))).toMatchObject({
      fields: ["task_queue.kind"],
    });
  });
});
