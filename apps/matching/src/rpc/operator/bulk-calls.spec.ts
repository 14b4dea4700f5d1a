import { OperatorService, TaskQueueKind, TaskState } from "@tq/proto";
import type { ChangeTasksOperation, ChangeTasksResult } from "@tq/storage";
import { describe, expect, it } from "vitest";
import { fakeWorker, type FakeMatching } from "../../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { collect } from "../../../test/streams.ts";
import { changeTasks } from "./bulk.ts";

const everything = { filter: { everything: true } };
const bulkCalls = ["purgeTasks", "moveTasks", "redriveTasks", "releaseTasks"] as const;
const to = { name: "r", kind: TaskQueueKind.ACTIVITY };

function operationsOf(matching: FakeMatching): ChangeTasksOperation[] {
  return matching.operations.filter((operation) => operation.verb === "change-tasks");
}

/** Answers so many chunks, each of which changes two tasks. */
function chunks(count: number): (operation: { readonly verb: string }) => ChangeTasksResult {
  let chunk = 0;
  return () => {
    chunk += 1;
    const progress = { examined: 10 * chunk, changed: 2 * chunk, skipped: chunk };
    if (chunk === count) return { verb: "change-tasks", progress };
    return { verb: "change-tasks", progress, next: { after: String(chunk), upTo: "9", progress } };
  };
}

describe("bulk calls", () => {
  it("say what is done to the tasks", async () => {
    const { client, matching } = inMemory(OperatorService);
    await collect(client.purgeTasks({ bulk: everything, silent: true }));
    await collect(client.moveTasks({ bulk: everything, to }));
    await collect(client.redriveTasks({ bulk: everything }));
    await collect(client.releaseTasks({ bulk: everything }));
    expect(operationsOf(matching).map(({ change, action }) => [action.call, change])).toEqual([
      ["PurgeTasks", { kind: "purge", silent: true }],
      ["MoveTasks", { kind: "move", to: { namespace: "default", name: "r", kind: "activity" } }],
      ["RedriveTasks", { kind: "redrive" }],
      ["ReleaseTasks", { kind: "release" }],
    ]);
  });

  it("go from chunk to chunk, and tell how far they are after each", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.onOperate = chunks(3);
    const replies = await collect(
      client.redriveTasks({
        bulk: { filter: { states: [TaskState.FAILED], ids: ["a"] }, dryRun: true, limit: 7n },
        action: { requestId: "r", actor: "alice", reason: "fixed" },
      }),
    );
    expect(replies.map(({ progress }) => progress)).toMatchObject([
      { examined: 10n, changed: 2n, skipped: 1n, done: false },
      { examined: 20n, changed: 4n, skipped: 2n, done: false },
      { examined: 30n, changed: 6n, skipped: 3n, done: true },
    ]);
    const operations = operationsOf(matching);
    expect(operations.map(({ cursor }) => cursor?.after)).toEqual([undefined, "1", "2"]);
    for (const operation of operations) {
      expect(operation).toMatchObject({
        namespace: "default",
        filter: { states: ["failed"], ids: ["a"] },
        dryRun: true,
        limit: 7,
        action: { actor: "alice", reason: "fixed" },
        request: { namespace: "default", id: "r" },
      });
      expect(JSON.parse(operation.action.request)).toEqual({
        bulk: { filter: { states: ["TASK_STATE_FAILED"], ids: ["a"] }, dryRun: true, limit: "7" },
      });
    }
  });

  it("end between two chunks once their caller is gone", async () => {
    const { matching } = inMemory(OperatorService);
    const next = chunks(1_000);
    const gone = new AbortController();
    matching.onOperate = (operation) => {
      if (operationsOf(matching).length === 3) gone.abort();
      return next(operation);
    };
    const bulkChange = {
      namespace: "default",
      filter: {},
      dryRun: false,
      change: { kind: "redrive" },
      action: { actor: "", reason: "", call: "RedriveTasks", request: "{}" },
    } as const;
    const reports = await collect(changeTasks({ matching }, bulkChange, gone.signal));
    expect(reports).toHaveLength(3);
    expect(reports.at(-1)).toMatchObject({ done: false });
    expect(operationsOf(matching)).toHaveLength(3);
  });

  it.each(bulkCalls)("%s refuses a filter that says nothing, unless everything is meant", async (call) => {
    const { client, matching } = inMemory(OperatorService);
    for (const bulk of [undefined, {}, { filter: {} }]) {
      const request = { ...(bulk && { bulk }), to };
      expect(await refusalOf(collect<unknown>(client[call](request)))).toMatchObject({
        code: "InvalidArgument",
        fields: ["bulk.filter"],
      });
    }
    expect(matching.operations).toEqual([]);
    await collect<unknown>(client[call]({ bulk: everything, to }));
    expect(matching.operations).toHaveLength(1);
  });

  it("mean the tasks of a build's live workers, and none where nobody knows it", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.workers.push(fakeWorker("a", { buildId: "v1" }), fakeWorker("b", { buildId: "v1", namespace: "other" }));
    await collect(client.releaseTasks({ bulk: { filter: { buildId: "v1" } } }));
    await collect(client.releaseTasks({ bulk: { filter: { buildId: "v2" } } }));
    expect(operationsOf(matching).map(({ filter }) => filter)).toEqual([{ workerIds: ["a"] }, { workerIds: [] }]);
  });

  it("name the fields of a filter by their whole path", async () => {
    const { client } = inMemory(OperatorService);
    const filter = { priorities: [6], workerId: "\n", ids: Array.from({ length: 1_001 }, () => "a") };
    expect((await refusalOf(collect(client.purgeTasks({ bulk: { filter } })))).fields.sort()).toEqual([
      "bulk.filter.ids",
      "bulk.filter.priorities[0]",
      "bulk.filter.worker_id",
    ]);
  });

  it("are refused with a request id of another call", async () => {
    const { client, matching } = inMemory(OperatorService);
    const refused = { reason: "request-id-reused", index: 0, subject: "r" } as const;
    matching.onOperate = () => ({ verb: "change-tasks", refused });
    expect(await refusalOf(collect(client.redriveTasks({ bulk: everything })))).toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });
});

describe("MoveTasks", () => {
  it("means tasks of the kind of the queue that they go to", async () => {
    const { client, matching } = inMemory(OperatorService);
    await collect(client.moveTasks({ bulk: { filter: { types: ["t"] } }, to }));
    expect(operationsOf(matching)).toMatchObject([{ filter: { types: ["t"], queueKind: "activity" } }]);
  });

  it("refuses no queue, one without a kind, and one of another kind than the filter's", async () => {
    const { client } = inMemory(OperatorService);
    const flows = { filter: { taskQueue: { name: "q", kind: TaskQueueKind.WORKFLOW } } };
    expect(await refusalOf(collect(client.moveTasks({ bulk: everything })))).toMatchObject({ fields: ["to"] });
    expect(await refusalOf(collect(client.moveTasks({ bulk: everything, to: { name: "r" } })))).toMatchObject({
      fields: ["to.kind"],
    });
    expect(await refusalOf(collect(client.moveTasks({ bulk: flows, to })))).toMatchObject({ fields: ["to.kind"] });
  });
});
