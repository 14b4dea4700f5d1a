import { create } from "@bufbuild/protobuf";
import { type AddTasksRequest, TaskQueueKind, TaskSchema, TaskState } from "@tq/proto";
import { expect, expectTypeOf, test } from "vitest";
import { fakeServer } from "../test/fake-server.ts";
import type { ActivityArgs, ActivityName } from "./activity.ts";
import type { AddedTaskHandle } from "./task-handle.ts";
import { Client } from "./client.ts";
import { decodePayload, encodePayload } from "./payload.ts";

const activities = {
  hash: async (path: string, algorithm?: "sha256" | "md5") => ({ path, algorithm: algorithm ?? "sha256" }),
  count: (..._words: string[]) => 3,
  tick: async () => {},
  notAnActivity: 7,
};
type Activities = typeof activities;

function serverThatRuns() {
  const added: AddTasksRequest[] = [];
  const transport = fakeServer({
    addTasks: (request) => {
      added.push(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: ({ ids }) => ({
      tasks: ids.map((id) => {
        const task = added.flatMap(({ tasks }) => tasks).find((t) => t.id === id)!;
        const [path, algorithm] = task.input.map((payload) => decodePayload(payload)) as [string, "md5" | undefined];
        const result = encodePayload({ path, algorithm: algorithm ?? "sha256" });
        return create(TaskSchema, { id, outcome: { state: TaskState.COMPLETED, result } });
      }),
    }),
  });
  return { client: Client.create({ transport }), added };
}

test("execute adds a task of the activity's name with its arguments, and answers its result", async () => {
  const { client, added } = serverThatRuns();
  const files = client.activity<Activities>({
    taskQueue: "files",
    startToCloseTimeout: "5 minutes",
    retry: { maximumAttempts: 3, initialInterval: 0, nonRetryableFailureTypes: ["NotFound"] },
    headers: { trace: "1" },
  });
  await expect(files.execute("hash", "/a", "md5")).resolves.toEqual({ path: "/a", algorithm: "md5" });
  expect(added[0]?.tasks[0]).toMatchObject({
    taskQueue: { name: "files", kind: TaskQueueKind.ACTIVITY },
    type: "hash",
    timeouts: { startToClose: { seconds: 300n } },
    retryPolicy: { maximumAttempts: 3, initialInterval: { seconds: 0n }, nonRetryableFailureTypes: ["NotFound"] },
    headers: { trace: "1" },
  });
});

test("with() replaces options for the calls of what it answers alone", async () => {
  const { client, added } = serverThatRuns();
  const files = client.activity<Activities>({ taskQueue: "files", priority: 2 });
  await files.with({ id: "my-id", onClose: { taskQueue: "e", type: "closed", context: { w: 1 } } }).start("tick");
  await files.start("tick");
  const [first, second] = added.map(({ tasks }) => tasks[0]!);
  expect(first).toMatchObject({
    id: "my-id",
    priority: 2,
    onClose: { taskQueue: { name: "e", kind: TaskQueueKind.WORKFLOW } },
  });
  expect(decodePayload(first?.onClose?.context)).toEqual({ w: 1 });
  expect(second).toMatchObject({ priority: 2 });
  expect(second?.onClose).toBeUndefined();
});

test("a call may have options of its own, its arguments among them; and a task may be made without being added", async () => {
  const { client, added } = serverThatRuns();
  const files = client.activity<Activities>({ taskQueue: "files", priority: 2, headers: { a: "1" } });
  const handle = await files.startWith("hash", { args: ["/a"], id: "my-id", priority: 1, startDelay: "1 minute" });
  expect(handle.id).toBe("my-id");
  await files.startWith("tick", {});
  expect(await files.executeWith("hash", { args: ["/b", "md5"], id: "b" })).toEqual({ path: "/b", algorithm: "md5" });
  await client.tasks.addMany([files.task("hash", "/c"), files.task("tick")]);
  expect(added.map(({ tasks }) => tasks)).toMatchObject([
    [{ id: "my-id", priority: 1, headers: { a: "1" }, startDelay: { seconds: 60n }, input: [encodePayload("/a")] }],
    [{ type: "tick", priority: 2, input: [] }],
    [{ id: "b", type: "hash", priority: 2 }],
    [
      { type: "hash", priority: 2, taskQueue: { name: "files" } },
      { type: "tick", input: [] },
    ],
  ]);
  const reason = new Error("enough");
  await expect(files.startWith("tick", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(files.executeWith("tick", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(files.startWith("tick", { priorty: 1 } as object)).rejects.toMatchObject({ code: "invalid_argument" });
});

test("names, arguments and results are the compiler's to check", () => {
  const { client } = serverThatRuns();
  const files = client.activity<Activities>({ taskQueue: "files" });
  type Hash = { path: string; algorithm: "sha256" | "md5" };
  expectTypeOf<ActivityName<Activities>>().toEqualTypeOf<"hash" | "count" | "tick">();
  expectTypeOf<ActivityArgs<Activities, "count">>().toEqualTypeOf<string[]>();
  expectTypeOf(() => files.execute("hash", "/a")).returns.resolves.toEqualTypeOf<Hash>();
  expectTypeOf(() => files.start("count", "a", "b")).returns.resolves.toEqualTypeOf<AddedTaskHandle<number>>();
  expectTypeOf(() => files.execute("tick")).returns.resolves.toBeVoid();
  // Never called: what is asked here is whether it compiles.
  const wrongCalls = () => [
    files.start("hash", "/a"),
    // @ts-expect-error there is no such activity
    files.start("hsah", "/a"),
    // @ts-expect-error it is no function
    files.start("notAnActivity"),
    // @ts-expect-error its argument is missing
    files.start("hash"),
    // @ts-expect-error its argument is of another type
    files.start("hash", 7),
    // @ts-expect-error it takes no such algorithm
    files.start("hash", "/a", "crc"),
    // @ts-expect-error it takes no argument
    files.start("tick", 1),
    files.startWith("hash", { args: ["/a"] }),
    files.startWith("count", {}),
    // @ts-expect-error its arguments are missing
    files.startWith("hash", { id: "a" }),
    // @ts-expect-error its argument is of another type
    files.executeWith("hash", { args: [7] }),
    // @ts-expect-error there is no such option
    files.startWith("tick", { priorty: 1 }),
    // @ts-expect-error its argument is missing
    files.task("hash"),
    // @ts-expect-error the queue is missing
    client.activity<Activities>({}),
    // @ts-expect-error no such duration
    client.activity<Activities>({ taskQueue: "files", startToCloseTimeout: "5 parsecs" }),
  ];
  expectTypeOf(wrongCalls).toBeFunction();
});

test("activities at hand bring their definitions' defaults; what the client and `with` say wins over them", async () => {
  const { client, added } = serverThatRuns();
  // As `defineActivity` makes them.
  const defined = Object.assign(async (input: { path: string }) => input.path.length, {
    defaults: { priority: 1, startToCloseTimeout: "1 minute", retry: { maximumAttempts: 2 } },
  });
  const plain = async (n: number) => n;
  const typed = client.activity({ taskQueue: "q", activities: { defined, plain }, priority: 4 });
  await typed.start("defined", { path: "/a" });
  await typed.with({ startToCloseTimeout: "2 minutes" }).start("defined", { path: "/a" });
  await typed.start("plain", 1);
  expect(added.map(({ tasks }) => tasks[0])).toMatchObject([
    { priority: 4, timeouts: { startToClose: { seconds: 60n } }, retryPolicy: { maximumAttempts: 2 } },
    { priority: 4, timeouts: { startToClose: { seconds: 120n } }, retryPolicy: { maximumAttempts: 2 } },
    { priority: 4, type: "plain" },
  ]);
  expect(added[2]?.tasks[0]?.retryPolicy).toBeUndefined();
  expectTypeOf(() => typed.execute("defined", { path: "/a" })).returns.resolves.toEqualTypeOf<number>();
  const wrongCalls = () => [
    // @ts-expect-error its input is of another type
    typed.start("defined", { file: "/a" }),
    // @ts-expect-error there is no such activity
    typed.start("other"),
    // @ts-expect-error these are no activities of this client
    client.activity<Activities>({ taskQueue: "q", activities: { plain } }),
  ];
  expectTypeOf(wrongCalls).toBeFunction();
});
