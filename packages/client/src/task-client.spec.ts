import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  CancelStatus,
  type GetTasksRequest,
  GetTasksResponseSchema,
  type ListTasksRequest,
  type OutcomeSchema,
  type Task,
  TaskQueueKind,
  TaskSchema,
  TaskState,
  WaitFor,
  WaitReason,
} from "@tq/proto";
import { expect, test } from "vitest";
import { Code, fakeServer, refusal, silent } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { Client } from "./client.ts";
import { TaskCanceledError, TaskClosedError, TaskFailedError, TaskTimedOutError } from "./closed-errors.ts";
import { encodePayload } from "./payload.ts";

const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };

function closed(id: string, outcome: MessageInitShape<typeof OutcomeSchema>, attempt = 1): Task {
  return create(TaskSchema, { id, run: 1, type: "t", taskQueue, attempt, outcome, state: outcome.state ?? 0 });
}

const open = (id: string) => create(TaskSchema, { id, run: 1, type: "t", taskQueue, state: TaskState.READY });

/** A server that holds GetTasks calls until a task they name is closed. */
function waitingServer() {
  const calls: GetTasksRequest[] = [];
  const tasks = new Map<string, Task>();
  let wake = Promise.withResolvers<void>();
  const clock = new ManualClock();
  const transport = fakeServer({
    addTasks: (request) => ({ tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) }),
    async getTasks(request, { signal }) {
      calls.push(request);
      const answer = () =>
        create(GetTasksResponseSchema, {
          tasks: request.ids.flatMap((id) => tasks.get(id) ?? []),
          missingIds: request.ids.filter((id) => !tasks.has(id)),
        });
      while (request.wait !== undefined && !signal.aborted) {
        const { tasks: found, missingIds } = answer();
        if (missingIds.length > 0 || found.some(({ outcome }) => outcome !== undefined)) break;
        await Promise.race([wake.promise, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      }
      return answer();
    },
  });
  return {
    client: Client.create({ transport, clock, random: () => 1 }),
    clock,
    calls,
    set: (...changed: Task[]) => {
      for (const task of changed) tasks.set(task.id, task);
      wake.resolve();
      wake = Promise.withResolvers();
    },
  };
}

test("result() waits until the task has closed, and answers what its handler returned", async () => {
  const { client, calls, set } = waitingServer();
  set(open("a"));
  const result = client.tasks.getHandle<{ n: number }>("a").result();
  await settle();
  expect(calls).toMatchObject([{ ids: ["a"], waitFor: WaitFor.ANY_CLOSED, wait: { seconds: 60n }, omitInput: true }]);
  set(closed("a", { state: TaskState.COMPLETED, result: encodePayload({ n: 1 }) }));
  expect((await result).n).toBe(1);
});

test("many waits share calls, and each ends with its own task", async () => {
  const { client, calls, set } = waitingServer();
  const ids = Array.from({ length: 150 }, (_, n) => `t${n}`);
  set(...ids.map(open));
  const results = ids.map((id) => client.tasks.getHandle(id).result());
  await settle();
  expect(calls.map((call) => call.ids.length)).toEqual([150]);
  set(closed("t7", { state: TaskState.COMPLETED, result: encodePayload(7) }));
  await expect(results[7]).resolves.toBe(7);
  await settle();
  expect(calls.map((call) => call.ids.length)).toEqual([150, 149]);
  const late = client.tasks.getHandle("t8").result();
  set(...ids.map((id) => closed(id, { state: TaskState.COMPLETED, result: encodePayload(id) })));
  await expect(late).resolves.toBe("t8");
  await expect(results[149]).resolves.toBe("t149");
});

test("a task that failed, timed out or was canceled says so", async () => {
  const { client, set } = waitingServer();
  const failure = {
    type: "DiskFull",
    message: "no space",
    nonRetryable: true,
    details: [encodePayload(3)],
    stackTrace: "at x",
  };
  set(
    closed("failed", { state: TaskState.FAILED, failure }, 3),
    closed("late", { state: TaskState.TIMED_OUT }),
    closed("stopped", { state: TaskState.CANCELED }),
  );
  const error = await client.tasks
    .getHandle("failed")
    .result()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TaskFailedError);
  expect(error).toBeInstanceOf(TaskClosedError);
  expect(error).toMatchObject({
    message: "Task failed (t) failed after 3 attempts: DiskFull: no space",
    taskId: "failed",
    attempts: 3,
    failure: { type: "DiskFull", message: "no space", nonRetryable: true, details: [3], stackTrace: "at x" },
  });
  await expect(client.tasks.getHandle("late").result()).rejects.toBeInstanceOf(TaskTimedOutError);
  await expect(client.tasks.getHandle("stopped").result()).rejects.toBeInstanceOf(TaskCanceledError);
});

test("a task that is not known (any more) is said to be so", async () => {
  const { client } = waitingServer();
  const unknown = { code: "not_found", reason: "TASK_NOT_FOUND", message: expect.stringContaining("gone") as unknown };
  await expect(client.tasks.getHandle("gone").result()).rejects.toMatchObject(unknown);
  await expect(client.tasks.get("gone")).rejects.toMatchObject(unknown);
  await expect(client.tasks.getMany(["gone"])).resolves.toEqual({ tasks: [], missingIds: ["gone"] });
});

test("a signal ends one caller's waiting, closing the client everybody's", async () => {
  const { client, set } = waitingServer();
  set(open("a"));
  const handle = client.tasks.getHandle("a");
  const ending = new AbortController();
  const one = handle.result({ signal: ending.signal });
  const other = handle.result();
  other.catch(() => {});
  await settle();
  ending.abort(new Error("enough"));
  await expect(one).rejects.toThrow("enough");
  await client.close();
  await expect(other).rejects.toMatchObject({ code: "canceled" });
  await expect(handle.result()).rejects.toMatchObject({ code: "canceled" });
});

test("waiting goes on over a restart of the server", async () => {
  let losses = 3;
  const clock = new ManualClock();
  const transport = fakeServer({
    getTasks: () => {
      if (losses-- > 0) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
      return { tasks: [closed("a", { state: TaskState.COMPLETED, result: encodePayload("done") })] };
    },
  });
  const result = Client.create({ transport, clock, logger: silent }).tasks.getHandle("a").result();
  await clock.advance(5_000);
  await expect(result).resolves.toBe("done");
});

test("a description is plain values, named and decoded", async () => {
  const { client, clock, set } = waitingServer();
  set(
    create(TaskSchema, {
      id: "a",
      run: 1,
      type: "t",
      taskQueue,
      state: TaskState.READY,
      input: [encodePayload("x"), encodePayload(undefined)],
      addedAt: timestampFromMs(clock.now()),
      reasons: [{ reason: WaitReason.NO_WORKERS, hint: "start one" }],
      failedAttempts: [{ attempt: 1, workerId: "w", failure: { type: "Oops", message: "m" } }],
    }),
  );
  expect(await client.tasks.getHandle("a").describe()).toMatchObject({
    id: "a",
    taskQueue: "q",
    kind: "activity",
    state: "READY",
    args: ["x", undefined],
    addedAt: new Date(clock.now()),
    outcome: undefined,
    reasons: [{ reason: "NO_WORKERS", hint: "start one" }],
    failedAttempts: [{ attempt: 1, workerId: "w", failure: { type: "Oops" } }],
  });
});

test("get asks again for what did not fit", async () => {
  const asked: string[][] = [];
  const transport = fakeServer({
    getTasks: ({ ids }) => {
      asked.push(ids);
      return { tasks: [open(ids[0]!)], omittedIds: ids.slice(1) };
    },
  });
  const { tasks } = await Client.create({ transport }).tasks.getMany(["a", "b", "c"]);
  expect(tasks.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(asked).toEqual([["a", "b", "c"], ["b", "c"], ["c"]]);
});

test("list goes through all pages, empty ones too, and fetches none ahead", async () => {
  const asked: ListTasksRequest[] = [];
  const pages = [{ tasks: [open("a")], nextPageToken: "1" }, { nextPageToken: "2" }, { tasks: [open("b")] }];
  const transport = fakeServer({
    listTasks: (request) => {
      asked.push(request);
      return pages[Number(request.pageToken)]!;
    },
  });
  const ids: string[] = [];
  const addedAfter = new Date(5);
  const filter = { taskQueue: "q", kind: "activity", states: ["READY", "STARTED"], addedAfter } as const;
  for await (const { id } of Client.create({ transport }).tasks.list(filter)) ids.push(`${id}${asked.length}`);
  expect(ids).toEqual(["a1", "b3"]);
  expect(asked[0]).toMatchObject({
    namespace: "default",
    pageSize: 100,
    filter: {
      taskQueue,
      states: [TaskState.READY, TaskState.STARTED],
      addedAfter: timestampFromMs(5),
      everything: false,
    },
  });
});

test("list asks without payloads for what is too large with them, and says so if it is too large even then", async () => {
  const asked: ListTasksRequest[] = [];
  let isLarge = false;
  const transport = fakeServer({
    listTasks: (request) => {
      asked.push(request);
      if (request.includePayloads) return { tasks: [open("a")], omittedIds: ["huge"] };
      return isLarge ? { omittedIds: ["huge"] } : { tasks: [open("huge")] };
    },
  });
  const list = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { id } of Client.create({ transport }).tasks.list({}, { includePayloads: true })) ids.push(id);
    return ids;
  };
  expect(await list()).toEqual(["a", "huge"]);
  expect(asked[1]).toMatchObject({ includePayloads: false, filter: { ids: ["huge"] } });
  isLarge = true;
  await expect(list()).rejects.toMatchObject({
    code: "resource_exhausted",
    message: expect.stringContaining('"huge"') as unknown,
  });
});

test("cancel carries a request id and its reason, and says what it did", async () => {
  const asked: unknown[] = [];
  const transport = fakeServer({
    cancelTasks: (request) => {
      asked.push(request);
      return { statuses: request.ids.map(() => CancelStatus.REQUESTED) };
    },
  });
  const handle = Client.create({ transport, namespace: "n", newId: () => "id" }).tasks.getHandle("a");
  await expect(handle.cancel({ reason: "too slow" })).resolves.toBe("REQUESTED");
  expect(asked).toMatchObject([{ namespace: "n", requestId: "id", ids: ["a"], reason: "too slow", force: false }]);
});
