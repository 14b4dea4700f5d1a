import { taskQueueKey } from "@tq/matching-core";
import { OperatorService, TaskQueueKind, WaitReason } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeWorker } from "../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../test/in-memory.ts";

const counts = { scheduled: 1, ready: 2, started: 3, dead: 4 };

describe("ListTaskQueues", () => {
  it("merges queues with tasks and queues that are only polled, page by page, in order", async () => {
    const { client, matching } = inMemory(OperatorService);
    for (const name of ["b", "d", "f"]) matching.queues.push(fakeQueue(fakeActivityQueue(name), { counts }));
    matching.polled = ["g", "a", "d", "e", "c"].map(fakeActivityQueue);
    for (const pageSize of [1, 2, 3, 4, 100]) {
      const names: string[] = [];
      for (let pageToken: string | undefined = ""; pageToken !== undefined;) {
        const page: Awaited<ReturnType<typeof client.listTaskQueues>> = await client.listTaskQueues({
          pageSize,
          pageToken,
        });
        expect(page.taskQueues.length).toBeLessThanOrEqual(pageSize);
        names.push(...page.taskQueues.map(({ taskQueue }) => taskQueue!.name));
        pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
      }
      expect(names.join("")).toBe("abcdefg");
    }
  });

  it("says of each queue the first reason why it does not move", async () => {
    const { client, matching } = inMemory(OperatorService);
    const placedByType = new Map([["t", 2]]);
    matching.queues.push(fakeQueue(fakeActivityQueue("q"), { counts, placedByType, oldestReadyAt: fakeNow - 1_500 }));
    const [summary] = (await client.listTaskQueues({ namePrefix: "q", kind: TaskQueueKind.ACTIVITY })).taskQueues;
    expect(summary).toMatchObject({
      counts: { scheduled: 1n, ready: 2n, started: 3n, dead: 4n },
      oldestReadyAge: { seconds: 1n, nanos: 500_000_000 },
      reason: { reason: WaitReason.NO_WORKERS, count: 2n },
    });
  });
});

describe("DescribeTaskQueue", () => {
  it("describes both kinds of a name that nobody has used as empty", async () => {
    const { client } = inMemory(OperatorService);
    const { taskQueues } = await client.describeTaskQueue({ taskQueue: { name: "q" } });
    expect(taskQueues.map(({ taskQueue }) => taskQueue?.kind)).toEqual([
      TaskQueueKind.ACTIVITY,
      TaskQueueKind.WORKFLOW,
    ]);
    expect(taskQueues[0]).toMatchObject({ counts: { ready: 0n }, reasons: [], wantedSlots: 0 });
  });

  it("tells counts, rates, workers, where registrations differ, and how many slots it wants", async () => {
    const { client, matching } = inMemory(OperatorService);
    const queue = fakeActivityQueue("q");
    const byType = new Map([["__proto__", counts]]);
    matching.queues.push(
      fakeQueue(queue, {
        counts,
        byType,
        byPriority: new Map([[3, counts]]),
        placedByType: new Map([["a", 2]]),
        startedByWorker: new Map([["one", 3]]),
      }),
    );
    const workers = [
      fakeWorker("one", { registrations: { activity: ["a", "b"], workflow: [] }, freeSlots: 0 }),
      fakeWorker("two", { registrations: { activity: ["b"], workflow: [] } }),
    ];
    matching.activities.set(taskQueueKey(queue), { addsPerSecond: 2, dispatchesPerSecond: 1, workers });
    const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };
    const [description] = (await client.describeTaskQueue({ taskQueue })).taskQueues;
    expect(description).toMatchObject({
      addsPerSecond: 2,
      dispatchesPerSecond: 1,
      countsByPriority: { 3: { ready: 2n } },
      workers: [{ workerId: "one", started: 3, freeSlots: 0 }, { workerId: "two" }],
      registrationDifferences: [{ type: "a", workerIdsWith: ["one"], workerIdsWithout: ["two"] }],
      reasons: [{ reason: WaitReason.NO_FREE_SLOTS, count: 2n }],
      wantedSlots: 7,
    });
    expect(Object.keys(description!.countsByType)).toEqual(["__proto__"]);
  });

  it("shows what is set on it: configuration, pause, drain", async () => {
    const { client, matching } = inMemory(OperatorService);
    const queue = fakeActivityQueue("q");
    const by = { actor: "alice", reason: "why", since: fakeNow - 1_000 };
    const config = {
      revision: 3,
      ratePerSecond: 5,
      fairnessKeys: new Map([["__proto__", { weight: 2 }]]),
      maxBacklog: 9,
      deadRetentionMs: 0,
    };
    matching.queues.push(fakeQueue(queue, { config, pause: by, drain: by }));
    const [description] = (await client.describeTaskQueue({ taskQueue: { name: "q", kind: TaskQueueKind.ACTIVITY } }))
      .taskQueues;
    expect(description).toMatchObject({
      config: { revision: 3n, ratePerSecond: 5, maxBacklog: 9n, deadRetention: { seconds: 0n } },
      pause: { actor: "alice", reason: "why", since: { seconds: BigInt(fakeNow / 1_000 - 1) } },
      drain: { actor: "alice", reason: "why" },
    });
    expect(Object.entries(description!.config!.fairnessKeys)).toMatchObject([["__proto__", { weight: 2 }]]);
    expect(description!.config).not.toHaveProperty("burst");
    const { taskQueues } = await client.listTaskQueues({});
    expect(taskQueues).toMatchObject([{ paused: true, draining: true }]);
  });

  it("shows no pause whose time is over", async () => {
    const { client, matching } = inMemory(OperatorService);
    const pause = { actor: "", reason: "", since: fakeNow - 2, until: fakeNow };
    matching.queues.push(fakeQueue(fakeActivityQueue("q"), { pause }));
    expect((await client.listTaskQueues({})).taskQueues).toMatchObject([{ paused: false }]);
    const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };
    expect((await client.describeTaskQueue({ taskQueue })).taskQueues[0]?.pause).toBeUndefined();
  });

  it("refuses a missing or reserved name", async () => {
    const { client } = inMemory(OperatorService);
    expect(await refusalOf(client.describeTaskQueue({}))).toMatchObject({ fields: ["task_queue"] });
    expect(await refusalOf(client.describeTaskQueue({ taskQueue: { name: "tq.x" } }))).toMatchObject({
      reason: "INVALID_NAME",
    });
  });
});

describe("namespaces", () => {
  it("are created once, and listed", async () => {
    const { client } = inMemory(OperatorService);
    await client.createNamespace({ name: "prod-1", description: "d" });
    expect(await refusalOf(client.createNamespace({ name: "prod-1" }))).toMatchObject({
      code: "AlreadyExists",
      reason: "NAMESPACE_EXISTS",
    });
    expect((await client.listNamespaces({})).namespaces.map(({ name }) => name)).toEqual(["default", "prod-1"]);
  });

  it("keep who made them and why", async () => {
    const { client, matching } = inMemory(OperatorService);
    const action = { actor: "alice", reason: "a new team", requestId: "r" };
    await client.createNamespace({ name: "team", description: "d", action });
    expect(matching.operations).toEqual([
      {
        verb: "create-namespace",
        name: "team",
        description: "d",
        action: {
          actor: "alice",
          reason: "a new team",
          call: "CreateNamespace",
          request: '{"name":"team","description":"d"}',
        },
        request: { namespace: "default", id: "r" },
      },
    ]);
  });

  it("are described with what is in them", async () => {
    const { client, matching } = inMemory(OperatorService);
    const namespace = { name: "default", description: "", createdAt: fakeNow };
    matching.described.set("default", { namespace, taskQueues: 2, counts });
    expect(await client.describeNamespace({})).toMatchObject({
      namespace: { name: "default" },
      taskQueues: 2n,
      counts: { scheduled: 1n, ready: 2n, started: 3n, dead: 4n },
    });
    expect(await refusalOf(client.describeNamespace({ name: "none" }))).toMatchObject({
      code: "NotFound",
      reason: "NAMESPACE_NOT_FOUND",
    });
  });

  it.each(["", "Upper", "-a", "a b", "x".repeat(101)])("refuse the name %j", async (name) => {
    const { client } = inMemory(OperatorService);
    expect(await refusalOf(client.createNamespace({ name }))).toMatchObject({
      reason: "INVALID_NAME",
      fields: ["name"],
    });
  });
});
