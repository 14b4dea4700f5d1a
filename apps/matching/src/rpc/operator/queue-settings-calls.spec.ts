import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { defaultRetryPolicy } from "@tq/matching-core";
import { OperatorService, TaskQueueKind, type UpdateTaskQueueConfigRequestSchema } from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import { describe, expect, it } from "vitest";
import { fakeNow } from "../../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { toTimestamp } from "../../translation/time.ts";

const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const queue = { namespace: "default", name: "q", kind: "activity" };
const seconds = (n: number) => ({ seconds: BigInt(n) });

type UpdateInit = MessageInitShape<typeof UpdateTaskQueueConfigRequestSchema>;

describe("UpdateTaskQueueConfig", () => {
  it("hands on the fields that the mask names, unset ones to go back to their defaults", async () => {
    const { client, matching } = inMemory(OperatorService);
    const reply = await client.updateTaskQueueConfig({
      taskQueue,
      config: { ratePerSecond: 5, maxStarted: 4 },
      updateMask: { paths: ["rate_per_second", "max_backlog"] },
      expectedRevision: 7n,
      action: { requestId: "r", actor: "alice", reason: "too fast" },
    });
    expect(matching.operations).toMatchObject([
      {
        verb: "configure",
        queue,
        fields: ["ratePerSecond", "maxBacklog"],
        expectedRevision: 7,
        action: { actor: "alice", reason: "too fast", call: "UpdateTaskQueueConfig" },
        request: { namespace: "default", id: "r" },
      },
    ]);
    const [operation] = matching.operations;
    expect(operation).toHaveProperty("to", { ratePerSecond: 5, fairnessKeys: new Map() });
    expect(reply.config).toMatchObject({ revision: 8n, ratePerSecond: 5 });
  });

  it("takes an empty mask for every field that is set", async () => {
    const { client, matching } = inMemory(OperatorService);
    await client.updateTaskQueueConfig({
      taskQueue,
      config: {
        ratePerSecond: 0.5,
        burst: 3,
        fairnessKeys: { a: { weight: 0.001, maxStarted: 1 }, "": { ratePerSecond: 1, burst: 2 } },
        defaultFairnessKey: { weight: 1_000 },
        maxStarted: 1,
        maxBacklog: 1n,
        completedRetention: seconds(0),
        deadRetention: seconds(60),
        defaultRetryPolicy: { maximumAttempts: 3 },
        defaultStartToCloseTimeout: seconds(0),
        defaultScheduleToStartTimeout: seconds(1),
        defaultScheduleToCloseTimeout: seconds(2),
      },
    });
    const [operation] = matching.operations;
    expect(operation).not.toHaveProperty("expectedRevision");
    expect(operation).toHaveProperty("fields", [
      "ratePerSecond",
      "burst",
      "fairnessKeys",
      "defaultFairnessKey",
      "maxStarted",
      "maxBacklog",
      "completedRetentionMs",
      "deadRetentionMs",
      "defaultRetryPolicy",
      "defaultStartToCloseMs",
      "defaultScheduleToStartMs",
      "defaultScheduleToCloseMs",
    ]);
    expect(operation).toHaveProperty("to", {
      ratePerSecond: 0.5,
      burst: 3,
      fairnessKeys: new Map([
        ["a", { weight: 0.001, maxStarted: 1 }],
        ["", { ratePerSecond: 1, burst: 2 }],
      ]),
      defaultFairnessKey: { weight: 1_000 },
      maxStarted: 1,
      maxBacklog: 1,
      completedRetentionMs: 0,
      deadRetentionMs: 60_000,
      defaultRetryPolicy: { ...defaultRetryPolicy("activity"), maximumAttempts: 3 },
      defaultStartToCloseMs: 0,
      defaultScheduleToStartMs: 1_000,
      defaultScheduleToCloseMs: 2_000,
    });
  });

  it("can empty the fairness keys, which only a mask can say", async () => {
    const { client, matching } = inMemory(OperatorService);
    await client.updateTaskQueueConfig({ taskQueue, updateMask: { paths: ["fairness_keys"] } });
    expect(matching.operations).toMatchObject([{ fields: ["fairnessKeys"], to: { fairnessKeys: new Map() } }]);
  });

  const tooManyKeys = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, {}]));
  const invalid: [string, UpdateInit, string][] = [
    ["no queue", { config: { burst: 1 } }, "task_queue"],
    ["a queue without a kind", { taskQueue: { name: "q" }, config: { burst: 1 } }, "task_queue.kind"],
    ["nothing to change", { taskQueue, config: {} }, "update_mask"],
    ["an unknown path", { taskQueue, updateMask: { paths: ["burst", "speed"] } }, "update_mask.paths[1]"],
    ["the path of a part", { taskQueue, updateMask: { paths: ["fairness_keys.a"] } }, "update_mask.paths[0]"],
    ["the revision as a field", { taskQueue, updateMask: { paths: ["revision"] } }, "update_mask.paths[0]"],
    ["a rate of 0", { taskQueue, config: { ratePerSecond: 0 } }, "config.rate_per_second"],
    ["a rate that is no number", { taskQueue, config: { ratePerSecond: NaN } }, "config.rate_per_second"],
    ["a rate without end", { taskQueue, config: { ratePerSecond: Infinity } }, "config.rate_per_second"],
    ["a burst of 0", { taskQueue, config: { burst: 0 } }, "config.burst"],
    ["a maximum of 0 started", { taskQueue, config: { maxStarted: 0 } }, "config.max_started"],
    ["a backlog of 0", { taskQueue, config: { maxBacklog: 0n } }, "config.max_backlog"],
    ["a backlog beyond counting", { taskQueue, config: { maxBacklog: 1n << 60n } }, "config.max_backlog"],
    ["10,001 fairness keys", { taskQueue, config: { fairnessKeys: tooManyKeys } }, "config.fairness_keys"],
    [
      "a weight over 1000",
      { taskQueue, config: { fairnessKeys: { a: { weight: 1_001 } } } },
      'config.fairness_keys["a"].weight',
    ],
    [
      "a key's rate of 0",
      { taskQueue, config: { fairnessKeys: { a: { ratePerSecond: 0 } } } },
      'config.fairness_keys["a"].rate_per_second',
    ],
    [
      "a key's burst of 0",
      { taskQueue, config: { fairnessKeys: { a: { burst: 0 } } } },
      'config.fairness_keys["a"].burst',
    ],
    [
      "a control character in a key",
      { taskQueue, config: { fairnessKeys: { "a\n": {} } } },
      'config.fairness_keys["a\\n"]',
    ],
    [
      "a weight of 0",
      { taskQueue, config: { defaultFairnessKey: { weight: 0 } } },
      "config.default_fairness_key.weight",
    ],
    [
      "a maximum of 0 started for keys",
      { taskQueue, config: { defaultFairnessKey: { maxStarted: 0 } } },
      "config.default_fairness_key.max_started",
    ],
    ["a negative retention", { taskQueue, config: { deadRetention: seconds(-1) } }, "config.dead_retention"],
    [
      "a retention over 10 years",
      { taskQueue, config: { completedRetention: seconds(11 * 365 * 86_400) } },
      "config.completed_retention",
    ],
    [
      "a jitter over 1",
      { taskQueue, config: { defaultRetryPolicy: { jitter: 2 } } },
      "config.default_retry_policy.jitter",
    ],
    [
      "a negative timeout",
      { taskQueue, config: { defaultStartToCloseTimeout: seconds(-1) } },
      "config.default_start_to_close_timeout",
    ],
    [
      "a revision beyond counting",
      { taskQueue, config: { burst: 1 }, expectedRevision: 1n << 60n },
      "expected_revision",
    ],
    ["a long actor", { taskQueue, config: { burst: 1 }, action: { actor: "x".repeat(201) } }, "action.actor"],
    ["a long reason", { taskQueue, config: { burst: 1 }, action: { reason: "x".repeat(1_001) } }, "action.reason"],
    [
      "a long request id",
      { taskQueue, config: { burst: 1 }, action: { requestId: "x".repeat(129) } },
      "action.request_id",
    ],
  ];
  it.each(invalid)("refuses %s by its path", async (_what, request, field) => {
    const { client, matching } = inMemory(OperatorService);
    expect((await refusalOf(client.updateTaskQueueConfig(request))).fields).toEqual([field]);
    expect(matching.operations).toEqual([]);
  });

  it("says which revision is the present one", async () => {
    const { client, matching } = inMemory(OperatorService);
    const refused = { reason: "revision-mismatch", index: 0, subject: "12" } as const;
    matching.onOperate = () => ({ verb: "configure", refused });
    const call = client.updateTaskQueueConfig({ taskQueue, config: { burst: 1 }, expectedRevision: 11n });
    const error = ConnectError.from(await call.catch((reason: unknown) => reason));
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "REVISION_MISMATCH", metadata: { revision: "12" } },
    ]);
    expect(await refusalOf(Promise.reject(error))).toMatchObject({ code: "Aborted", fields: ["expected_revision"] });
  });

  it("names the request id that belongs to another call", async () => {
    const { client, matching } = inMemory(OperatorService);
    const refused = { reason: "request-id-reused", index: 0, subject: "r" } as const;
    matching.onOperate = () => ({ verb: "configure", refused });
    const call = client.updateTaskQueueConfig({ taskQueue, config: { burst: 1 }, action: { requestId: "r" } });
    expect(await refusalOf(call)).toMatchObject({ reason: "REQUEST_ID_REUSED", fields: ["action.request_id"] });
  });
});

describe("PauseTaskQueue, ResumeTaskQueue and DrainTaskQueue", () => {
  it("mean one kind, or both where none is named, each with a request id of its own", async () => {
    const { client, matching } = inMemory(OperatorService);
    const action = { requestId: "r", actor: "alice", reason: "deploy" };
    await client.pauseTaskQueue({ taskQueue, action });
    await client.pauseTaskQueue({ taskQueue: { name: "q" }, action });
    await client.drainTaskQueue({ taskQueue: { name: "q" }, action });
    await client.resumeTaskQueue({ taskQueue: { name: "q" }, action });
    const seen = matching.operations.map((operation) =>
      "queue" in operation ? [operation.verb, operation.queue.kind, operation.request?.id] : [],
    );
    expect(seen).toEqual([
      ["pause", "activity", "r\0activity"],
      ["pause", "activity", "r\0activity"],
      ["pause", "workflow", "r\0workflow"],
      ["drain", "activity", "r\0activity"],
      ["drain", "workflow", "r\0workflow"],
      ["resume", "activity", "r\0activity"],
      ["resume", "workflow", "r\0workflow"],
    ]);
  });

  it("answer with who, why and until when", async () => {
    const { client, matching } = inMemory(OperatorService);
    const action = { actor: "alice", reason: "deploy" };
    const until = toTimestamp(fakeNow + 1_000);
    const { pause } = await client.pauseTaskQueue({ taskQueue, action, until });
    expect(pause).toMatchObject({ ...action, since: toTimestamp(fakeNow), until });
    expect(matching.operations).toMatchObject([{ until: fakeNow + 1_000, action: { call: "PauseTaskQueue" } }]);
    const { drain } = await client.drainTaskQueue({ taskQueue, action });
    expect(drain).toMatchObject({ ...action, since: toTimestamp(fakeNow) });
    // The fake says that the workflow queue was paused: either counts.
    expect(await client.resumeTaskQueue({ taskQueue: { name: "q" } })).toMatchObject({
      wasPaused: true,
      wasDraining: false,
    });
    expect(await client.resumeTaskQueue({ taskQueue })).toMatchObject({ wasPaused: false });
  });

  it("refuse a pause that ends in the past, and one in no year", async () => {
    const { client } = inMemory(OperatorService);
    for (const until of [toTimestamp(fakeNow), { seconds: 1n << 60n }]) {
      expect(await refusalOf(client.pauseTaskQueue({ taskQueue, until }))).toMatchObject({ fields: ["until"] });
    }
  });

  it("refuse a call without a queue", async () => {
    const { client } = inMemory(OperatorService);
    for (const call of [client.pauseTaskQueue({}), client.resumeTaskQueue({}), client.drainTaskQueue({})]) {
      expect(await refusalOf(call)).toMatchObject({ fields: ["task_queue"] });
    }
  });
});
