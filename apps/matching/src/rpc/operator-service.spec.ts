import { taskQueueKey } from "@tq/matching-core";
import { OperatorService, TaskQueueKind, WaitReason } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow, fakeQueue, fakeWorker } from "../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../test/in-memory.ts";

async function endOf(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

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

  it.each(["", "Upper", "-a", "a b", "x".repeat(101)])("refuse the name %j", async (name) => {
    const { client } = inMemory(OperatorService);
    expect(await refusalOf(client.createNamespace({ name }))).toMatchObject({
      reason: "INVALID_NAME",
      fields: ["name"],
    });
  });
});

describe("GetServerInfo", () => {
  it("lists exactly the calls that answer unimplemented", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.waitingPolls = 3;
    const info = await client.getServerInfo({});
    expect(info).toMatchObject({ version: "1.2.3", instanceId: "instance", epoch: 7n, waitingPolls: 3 });
    expect(info.services).toMatchObject([{ name: "committer", running: true }]);
    expect(info.unimplementedCalls).toContain("tq.v1.OperatorService/MoveTasks");
    for (const call of info.unimplementedCalls) {
      const method = OperatorService.methods.find(({ name }) => call === `tq.v1.OperatorService/${name}`)!;
      const reply: unknown = client[method.localName as "describeWorker"]({});
      const ended = method.methodKind === "server_streaming" ? endOf(reply as AsyncIterable<unknown>) : reply;
      expect(await refusalOf(ended as Promise<unknown>)).toEqual({
        code: "Unimplemented",
        reason: "NOT_BUILT",
        fields: [],
      });
    }
  });
});
