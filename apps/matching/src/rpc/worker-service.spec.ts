import type { MessageInitShape } from "@bufbuild/protobuf";
import { everything } from "@tq/matching-core";
import {
  AnswerResult,
  TaskQueueKind,
  WorkerService,
  type PollTasksRequestSchema,
  type TaskAnswerSchema,
} from "@tq/proto";
import { describe, expect, it } from "vitest";
import { emptyPoll, fakeDispatched } from "../../test/fake-matching.ts";
import { inMemory, refusalOf } from "../../test/in-memory.ts";
import { encodeTaskToken } from "../translation/task-token.ts";

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const minimal: MessageInitShape<typeof PollTasksRequestSchema> = { worker: { workerId: "w" }, taskQueues: [queue] };
const seconds = (n: number) => ({ seconds: BigInt(n) });
const token = encodeTaskToken({ seq: 5, leaseNo: 9 });

type AnswerInit = MessageInitShape<typeof TaskAnswerSchema>;
const completed: AnswerInit = { token, answer: { case: "completed", value: {} } };

describe("PollTasks", () => {
  it("fills in the defaults of a plain client", async () => {
    const { client, matching } = inMemory(WorkerService);
    await client.pollTasks(minimal);
    const [call] = matching.polls;
    expect(call).toMatchObject({
      worker: {
        namespace: "default",
        workerId: "w",
        identity: "",
        buildId: "",
        registrationsHash: "",
        registrations: everything,
      },
      pollId: "",
      queues: [{ namespace: "default", name: "q", kind: "activity" }],
      maxTasks: 1,
      leaseMs: 30_000,
      waitMs: 60_000,
      receivedPollIds: [],
    });
    expect(call).not.toHaveProperty("confirmWithinMs");
    expect(call).not.toHaveProperty("answers");
  });

  it("takes a jitter of up to a sixth off long waits, and none off short ones", async () => {
    const { client, matching } = inMemory(WorkerService, { random: () => 0.5 });
    for (const wait of [undefined, seconds(120), seconds(6), { nanos: 900_000_000 }, seconds(0)]) {
      await client.pollTasks({ ...minimal, ...(wait === undefined ? {} : { wait }) });
    }
    expect(matching.polls.map(({ waitMs }) => waitMs)).toEqual([55_000, 55_000, 5_500, 900, 0]);
  });

  it("waits a second less than its caller, and a second at most if it carries answers", async () => {
    const { client, matching } = inMemory(WorkerService);
    await client.pollTasks(minimal, { timeoutMs: 5_000 });
    await client.pollTasks(minimal, { timeoutMs: 900 });
    await client.pollTasks({ ...minimal, answers: [completed] }).catch(() => undefined);
    const [five, short, withAnswers] = matching.polls.map(({ waitMs }) => waitMs);
    expect(five).toBeGreaterThan(3_000);
    expect(five).toBeLessThanOrEqual(4_000);
    expect(short).toBe(0);
    expect(withAnswers).toBe(1_000);
  });

  it("hands registrations on sorted, and gives those without a hash one", async () => {
    const { client, matching } = inMemory(WorkerService);
    const registrations = { activityTypes: ["b", "a", "b"] };
    await client.pollTasks({ ...minimal, worker: { workerId: "w", registrations } });
    await client.pollTasks({ ...minimal, worker: { workerId: "w", registrationsHash: "h" } });
    expect(matching.polls[0]?.worker).toMatchObject({ registrations: { activity: ["a", "b"], workflow: [] } });
    expect(matching.polls[0]?.worker.registrationsHash).not.toBe("");
    expect(matching.polls[1]?.worker.registrationsHash).toBe("h");
    expect(matching.polls[1]?.worker).not.toHaveProperty("registrations");
  });

  it("brings tasks with their token, and serves a queue that is named twice once", async () => {
    const { client, matching } = inMemory(WorkerService);
    matching.onPoll = () =>
      Promise.resolve({
        ...emptyPoll,
        tasks: [fakeDispatched("a", { lease: { seq: 5, leaseNo: 9 }, timeouts: { scheduleToCloseMs: 60_000 } })],
        registrationsWanted: true,
        drainRequested: true,
      });
    const reply = await client.pollTasks({ ...minimal, taskQueues: [queue, queue] });
    expect(reply).toMatchObject({ registrationsWanted: true, drainRequested: true });
    expect(reply.tasks).toMatchObject([{ id: "a", attempt: 1, lease: { seconds: 30n }, maximumAttempts: 25 }]);
    expect(Buffer.from(reply.tasks[0]!.token)).toEqual(Buffer.from(token));
    expect(matching.polls[0]?.queues).toHaveLength(1);
  });

  const invalid: [string, MessageInitShape<typeof PollTasksRequestSchema>, string][] = [
    ["no worker", { taskQueues: [queue] }, "worker"],
    ["no worker id", { ...minimal, worker: {} }, "worker.worker_id"],
    ["no queue", { worker: minimal.worker! }, "task_queues"],
    [
      "101 queues",
      { ...minimal, taskQueues: Array.from({ length: 101 }, (_, i) => ({ ...queue, name: `${i}` })) },
      "task_queues",
    ],
    ["a queue without a kind", { ...minimal, taskQueues: [queue, { name: "q" }] }, "task_queues[1].kind"],
    ["1,001 tasks", { ...minimal, maxTasks: 1_001 }, "max_tasks"],
    ["a lease under 1 s", { ...minimal, lease: { nanos: 999_000_000 } }, "lease"],
    ["a lease over 12 h", { ...minimal, lease: seconds(43_201) }, "lease"],
    ["confirm-within over the lease", { ...minimal, confirmWithin: seconds(31) }, "confirm_within"],
    ["a negative wait", { ...minimal, wait: seconds(-1) }, "wait"],
    ["a long poll id", { ...minimal, pollId: "x".repeat(129) }, "poll_id"],
    ["a long received poll id", { ...minimal, receivedPollIds: ["x".repeat(129)] }, "received_poll_ids[0]"],
    ["a rate of 0", { ...minimal, taskQueueRatePerSecond: 0 }, "task_queue_rate_per_second"],
    [
      "an empty type",
      { ...minimal, worker: { workerId: "w", registrations: { workflowTypes: [""] } } },
      "worker.registrations.workflow_types[0]",
    ],
    ["1,001 answers", { ...minimal, answers: Array.from({ length: 1_001 }, () => completed) }, "answers"],
  ];
  it.each(invalid)("refuses %s by its path", async (_what, request, field) => {
    const { client, matching } = inMemory(WorkerService);
    expect((await refusalOf(client.pollTasks(request))).fields).toEqual([field]);
    expect(matching.polls).toEqual([]);
  });

  it("hands on the rate that the worker asks for", async () => {
    const { client, matching } = inMemory(WorkerService);
    await client.pollTasks({ ...minimal, taskQueueRatePerSecond: 0.5 });
    expect(matching.polls).toMatchObject([{ askedRate: 0.5 }]);
  });

  it("says that another poll has taken its place", async () => {
    const { client, matching } = inMemory(WorkerService);
    matching.onPoll = () => Promise.resolve({ kind: "superseded" });
    const refused = await refusalOf(client.pollTasks({ ...minimal, pollId: "p" }));
    expect(refused).toMatchObject({ code: "Aborted", reason: "POLL_SUPERSEDED" });
  });
});

describe("RespondTasks", () => {
  it("hands on all four kinds of answer", async () => {
    const { client, matching } = inMemory(WorkerService);
    const result = { body: { case: "text", value: "1" } } as const;
    await client.respondTasks({
      workerId: "w",
      requestId: "r",
      receivedPollIds: ["p"],
      answers: [
        { token, answer: { case: "completed", value: { result } } },
        {
          token,
          answer: {
            case: "failed",
            value: { failure: { type: "T", message: "m", nonRetryable: true, nextRetryDelay: seconds(2) } },
          },
        },
        { token, answer: { case: "canceled", value: { details: result } } },
        { token, answer: { case: "released", value: { reason: "shutdown" } } },
        { token, answer: { case: "released", value: { toFallback: true } } },
      ],
    });
    const lease = { seq: 5, leaseNo: 9 };
    const [call] = matching.answers;
    expect(call?.from).toEqual({ workerId: "w", receivedPollIds: ["p"] });
    expect(call?.operation).toMatchObject({
      namespace: "default",
      request: { namespace: "default", id: "r" },
      answers: [
        { lease, kind: "completed", commands: [] },
        { lease, kind: "failed", failure: { type: "T", message: "m", nonRetryable: true, nextRetryDelayMs: 2_000 } },
        { lease, kind: "canceled", failure: { type: "Canceled" } },
        { lease, kind: "released", reason: "shutdown", toFallback: false },
        { lease, kind: "released", reason: "", toFallback: true },
      ],
    });
  });

  it("tells no result from an empty one", async () => {
    const { client, matching } = inMemory(WorkerService);
    await client.respondTasks({
      answers: [completed, { token, answer: { case: "completed", value: { result: {} } } }],
    });
    const [none, empty] = matching.answers[0]!.operation.answers;
    expect(none).not.toHaveProperty("result");
    expect(empty).toHaveProperty("result", expect.objectContaining({ length: 0 }));
  });

  it("refuses bad items by themselves, and carries out the others", async () => {
    const { client, matching } = inMemory(WorkerService);
    matching.onAnswer = () => ({ verb: "answer", statuses: [{ status: "accepted" }, { status: "lease-lost" }] });
    const task = { taskQueue: queue, type: "" };
    const reply = await client.respondTasks({
      answers: [
        { token: Buffer.from("garbage"), answer: completed.answer! },
        completed,
        { token },
        completed,
        {
          token,
          answer: {
            case: "completed",
            value: {
              commands: [
                { command: { case: "cancelTask", value: { id: "x" } } },
                { command: { case: "addTask", value: { task } } },
              ],
            },
          },
        },
      ],
    });
    expect(reply.statuses.map(({ result }) => result)).toEqual([
      AnswerResult.REFUSED,
      AnswerResult.ACCEPTED,
      AnswerResult.REFUSED,
      AnswerResult.LEASE_LOST,
      AnswerResult.REFUSED,
    ]);
    expect(reply.statuses[0]?.error).toMatchObject({ reason: "MALFORMED_TOKEN", field: "token" });
    expect(reply.statuses[2]?.error).toMatchObject({ reason: "INVALID_FIELD", field: "answer" });
    expect(reply.statuses[4]?.error).toMatchObject({
      reason: "INVALID_NAME",
      field: "completed.commands[1].add_task.task.type",
      commandIndex: 1,
    });
    expect(matching.answers[0]?.operation.answers).toHaveLength(2);
  });

  it("turns commands into records", async () => {
    const { client, matching } = inMemory(WorkerService);
    const task = { id: "a", taskQueue: { name: "q" }, type: "t" };
    const fallbackTaskQueue = { name: "engine" };
    const timer = { taskQueue: { name: "w" }, type: "fire", delay: seconds(3), serialKey: "s", fallbackTaskQueue };
    await client.respondTasks({
      answers: [
        {
          token,
          answer: {
            case: "completed",
            value: {
              commands: [
                { command: { case: "scheduleActivityTask", value: { task } } },
                { command: { case: "startTimer", value: timer } },
                { command: { case: "cancelTask", value: { id: "x", reason: "why" } } },
              ],
            },
          },
        },
      ],
    });
    const [answer] = matching.answers[0]!.operation.answers;
    expect(answer).toMatchObject({
      commands: [
        { command: "add", task: { id: "a", queue: { kind: "activity" } } },
        {
          command: "add",
          task: {
            queue: { name: "w", kind: "workflow" },
            type: "fire",
            startDelayMs: 3_000,
            serialKey: "s",
            fallback: { queueName: "engine" },
          },
        },
        { command: "cancel", id: "x", reason: "why" },
      ],
    });
    expect(answer).toHaveProperty("commands.1.task.id", expect.stringMatching(/^[0-9a-f-]{36}$/));
  });

  it.each([
    [{ case: undefined }, "completed.commands[0]"],
    [{ case: "addTask", value: {} }, "completed.commands[0].add_task.task"],
    [
      { case: "addTask", value: { task: { taskQueue: { name: "q" }, type: "t" } } },
      "completed.commands[0].add_task.task.task_queue.kind",
    ],
    [
      {
        case: "scheduleActivityTask",
        value: { task: { taskQueue: { name: "q", kind: TaskQueueKind.WORKFLOW }, type: "t" } },
      },
      "completed.commands[0].schedule_activity_task.task.task_queue.kind",
    ],
    [{ case: "startTimer", value: { taskQueue: { name: "q" } } }, "completed.commands[0].start_timer.type"],
    [
      { case: "startTimer", value: { taskQueue: { name: "q" }, type: "t", fallbackTaskQueue: { name: "q" } } },
      "completed.commands[0].start_timer.fallback_task_queue",
    ],
    [{ case: "cancelTask", value: {} }, "completed.commands[0].cancel_task.id"],
  ] as const)("names the field of a bad command: %o", async (command, field) => {
    const { client } = inMemory(WorkerService);
    const reply = await client.respondTasks({
      answers: [{ token, answer: { case: "completed", value: { commands: [{ command }] } } }],
    });
    expect(reply.statuses[0]?.error).toMatchObject({ field, commandIndex: 0 });
  });

  const task = { id: "a", taskQueue: { name: "q", kind: TaskQueueKind.ACTIVITY }, type: "t" };
  const timer = { id: "b", taskQueue: { name: "w" }, type: "fire" };
  it.each([
    ["queue-draining", 0, "TASK_QUEUE_DRAINING", "[0].add_task.task.task_queue"],
    ["max-backlog", 1, "MAX_BACKLOG", "[1].schedule_activity_task.task.task_queue"],
    ["max-backlog", 2, "MAX_BACKLOG", "[2].start_timer.task_queue"],
    ["task-id-taken", 0, "TASK_ID_TAKEN", "[0].add_task.task.id"],
    ["duplicate-id", 2, "DUPLICATE_ID_IN_BATCH", "[2].start_timer.id"],
    ["too-many-types", 1, "TOO_MANY_TYPES", "[1].schedule_activity_task.task.type"],
    ["not-a-workflow-task", 0, "INVALID_FIELD", "[0]"],
    ["namespace-not-found", 1, "NAMESPACE_NOT_FOUND", "[1]"],
  ] as const)(
    "says of a command that the store refused as %s (%i) where it is wrong",
    async (reason, index, ...said) => {
      const { client, matching } = inMemory(WorkerService);
      const refused = { reason, index, subject: "x" };
      // The first of the request's answers does not come to the store, so that their places differ.
      matching.onAnswer = () => ({ verb: "answer", statuses: [{ status: "refused", commandIndex: index, refused }] });
      const commands = [
        { command: { case: "addTask", value: { task } } },
        { command: { case: "scheduleActivityTask", value: { task } } },
        { command: { case: "startTimer", value: timer } },
      ] as const;
      const { statuses } = await client.respondTasks({
        answers: [{ token }, { token, answer: { case: "completed", value: { commands: [...commands] } } }],
      });
      const [expected, path] = said;
      const field = `completed.commands${path}`;
      expect(statuses[1]).toMatchObject({
        result: AnswerResult.REFUSED,
        error: { reason: "COMMAND_REFUSED", field, commandIndex: index },
      });
      expect(statuses[1]?.error?.message).toContain(expected);
      if (reason !== "namespace-not-found") expect(statuses[1]?.error?.message).toContain(`: ${field} `);
    },
  );
});

describe("RenewLeases", () => {
  it("renews, brings heartbeats, and hears of cancels and lost leases", async () => {
    const { client, matching } = inMemory(WorkerService);
    const lease = { seq: 5, leaseNo: 9 };
    const cancels = [{ lease, reason: "stop", requestedAt: 1_000 }];
    matching.onRenew = () =>
      Promise.resolve({ lost: [lease], cancels, drainRequested: false, registrationsWanted: true, noticesSeen: "8" });
    const reply = await client.renewLeases({
      worker: { workerId: "w" },
      tokens: [token],
      heartbeats: [{ token, details: { body: { case: "text", value: "50 %" } } }, { token }],
      status: { activitySlots: 3 },
      hold: seconds(30),
      noticesSeen: "7",
    });
    expect(matching.renewals).toMatchObject([
      { leases: [lease], holdMs: 30_000, noticesSeen: "7", worker: { status: { activitySlots: 3 } } },
    ]);
    expect(matching.renewals[0]?.heartbeats.map(({ details }) => details !== undefined)).toEqual([true, false]);
    expect(reply).toMatchObject({ noticesSeen: "8", registrationsWanted: true, cancelRequests: [{ reason: "stop" }] });
    expect(Buffer.from(reply.lostTokens[0]!)).toEqual(Buffer.from(token));
  });

  it("takes 512 KiB of a heartbeat's details, and refuses more by its place", async () => {
    const { client, matching } = inMemory(WorkerService);
    const beat = (bytes: number) => ({ token, details: { body: { case: "text", value: "x".repeat(bytes) } } }) as const;
    const renew = async (bytes: number) =>
      client.renewLeases({ worker: { workerId: "w" }, tokens: [token], heartbeats: [{ token }, beat(bytes)] });
    await renew(524_288);
    expect(matching.renewals).toHaveLength(1);
    await expect(renew(524_289)).rejects.toThrow("heartbeats[1].details is 524289 bytes and may be 524288");
    expect(await refusalOf(renew(524_289))).toMatchObject({
      reason: "PAYLOAD_TOO_LARGE",
      fields: ["heartbeats[1].details"],
    });
    expect(matching.renewals).toHaveLength(1);
  });

  it("refuses malformed tokens by their place", async () => {
    const { client } = inMemory(WorkerService);
    const bad = Buffer.from("garbage");
    const call = client.renewLeases({
      worker: { workerId: "w" },
      tokens: [token, bad],
      heartbeats: [{ token: bad }],
      hold: seconds(61),
    });
    expect(await refusalOf(call)).toEqual({
      code: "InvalidArgument",
      reason: "MALFORMED_TOKEN",
      fields: ["tokens[1]", "heartbeats[0].token", "hold"],
    });
  });
});

describe("ShutdownWorker", () => {
  it("tells the engine which worker goes", async () => {
    const { client, matching } = inMemory(WorkerService);
    await client.shutdownWorker({ workerId: "w" });
    expect(matching.shutdowns).toEqual(["default/w"]);
    expect(await refusalOf(client.shutdownWorker({}))).toMatchObject({ fields: ["worker_id"] });
  });
});

describe("HeartbeatTasks", () => {
  it("takes heartbeats by their tokens alone, and tells which are lost", async () => {
    const { client, matching } = inMemory(WorkerService);
    const other = encodeTaskToken({ seq: 5, leaseNo: 10 });
    const details = { body: { case: "text", value: "50 %" } } as const;
    const reply = await client.heartbeatTasks({ heartbeats: [{ token, details }, { token: other }] });
    expect(matching.heartbeats).toMatchObject([
      { namespace: "default", heartbeats: [{ lease: { seq: 5, leaseNo: 9 } }, { lease: { leaseNo: 10 } }] },
    ]);
    expect(reply.lostTokens.map((lost) => Buffer.from(lost))).toEqual([Buffer.from(other)]);
  });

  it("refuses a malformed token by its place", async () => {
    const { client } = inMemory(WorkerService);
    const call = client.heartbeatTasks({ heartbeats: [{ token }, { token: Buffer.from("garbage") }] });
    expect(await refusalOf(call)).toMatchObject({ reason: "MALFORMED_TOKEN", fields: ["heartbeats[1].token"] });
  });
});
