import { OperatorService, TaskQueueKind } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { fakeActivityQueue, fakeNow } from "../../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { toTimestamp } from "../../translation/time.ts";

const action = { actor: "alice", reason: "deploy", call: "PauseTaskQueue", request: "{}" };

describe("ListEvents", () => {
  it("tells what operators did: who, when, why, to what", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.events.push({ id: 2, at: fakeNow, action, queue: fakeActivityQueue("q"), workerId: "w", changed: 3 });
    expect((await client.listEvents({})).events).toMatchObject([
      {
        id: 2n,
        at: toTimestamp(fakeNow),
        actor: "alice",
        reason: "deploy",
        call: "PauseTaskQueue",
        taskQueue: { name: "q", kind: TaskQueueKind.ACTIVITY },
        workerId: "w",
        requestJson: "{}",
        changed: 3n,
      },
    ]);
  });

  it("goes page by page, shorter ones where requests were long", async () => {
    const { client, matching } = inMemory(OperatorService, { maxReplyBytes: 5_000 });
    const long = { ...action, request: "x".repeat(1_000) };
    for (const id of [3, 2, 1]) matching.events.push({ id, at: fakeNow, action: long, changed: 0 });
    const seen: bigint[][] = [];
    for (let pageToken: string | undefined = ""; pageToken !== undefined;) {
      const page: Awaited<ReturnType<typeof client.listEvents>> = await client.listEvents({ pageToken });
      seen.push(page.events.map(({ id }) => id));
      pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
    }
    expect(seen).toEqual([[3n], [2n], [1n]]);
  });

  it("asks for one queue, or both kinds of a name", async () => {
    const { client, matching } = inMemory(OperatorService);
    await client.listEvents({ taskQueue: { name: "q" } });
    await client.listEvents({ taskQueue: { name: "q", kind: TaskQueueKind.WORKFLOW } });
    expect(matching.eventFilters).toEqual([{ queueName: "q" }, { queueName: "q", queueKind: "workflow" }]);
  });

  it("refuses what is no queue and no page", async () => {
    const { client } = inMemory(OperatorService);
    expect((await refusalOf(client.listEvents({ pageSize: 1_001, taskQueue: {} }))).fields.sort()).toEqual([
      "page_size",
      "task_queue.name",
    ]);
  });
});
