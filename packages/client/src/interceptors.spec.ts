import { type AddTasksRequest, CancelStatus } from "@tq/proto";
import { expect, expectTypeOf, test } from "vitest";
import { fakeServer } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import { type ClientInterceptor, composeInterceptors, type Next } from "./interceptors.ts";
import { encodePayload } from "./payload.ts";

function rig(interceptors: ClientInterceptor[]) {
  const added: AddTasksRequest[] = [];
  const canceled: string[] = [];
  const transport = fakeServer({
    addTasks: (request) => {
      added.push(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: ({ ids }) => ({
      tasks: ids.map((id) => ({ id, state: 4, outcome: { state: 4, result: encodePayload(`${id} done`) } })),
    }),
    listTasks: ({ filter }) => ({ tasks: filter!.types.map((type) => ({ id: type, type })) }),
    cancelTasks: ({ ids, reason }) => {
      canceled.push(...ids, reason);
      return { statuses: ids.map(() => CancelStatus.REQUESTED) };
    },
  });
  return { client: Client.create({ transport, interceptors }), added, canceled };
}

test("the first interceptor is outermost, and each may change what goes on and what comes back", async () => {
  const order: string[] = [];
  const named = (name: string): ClientInterceptor => ({
    async add({ tasks, options }, next) {
      order.push(`${name} in`);
      const changed = tasks.map((task) => ({
        ...task,
        headers: { ...task.headers, [name]: "1" },
        args: [...task.args!, name],
      }));
      const handles = await next({ tasks: changed, options });
      order.push(`${name} out`);
      return handles;
    },
  });
  const { client, added } = rig([named("a"), { result: (input, next) => next(input) }, named("b")]);
  await client.tasks.addMany([
    { taskQueue: "q", type: "t", args: [1] },
    { taskQueue: "q", type: "t", args: [2] },
  ]);
  expect(order).toEqual(["a in", "b in", "b out", "a out"]);
  expect(added).toHaveLength(1);
  expect(added[0]?.tasks[1]).toMatchObject({
    headers: { a: "1", b: "1" },
    input: [2, "a", "b"].map((arg) => encodePayload(arg)),
  });
});

test("results, cancels, reads and lists pass through their interceptors, however they are asked for", async () => {
  const seen: unknown[] = [];
  const { client, canceled } = rig([
    {
      result: async (input, next) => (seen.push(["result", input.id]), `${String(await next(input))}!`),
      cancel: ({ ids, options }, next) => next({ ids, options: { ...options, reason: "intercepted" } }),
      get: async (input, next) => (seen.push(["get", input.ids]), next(input)),
      async *list({ filter, options }, next) {
        for await (const task of next({ filter: { ...filter, types: ["x"] }, options }))
          yield { ...task, workerId: "w" };
      },
    },
  ]);
  const handle = client.tasks.getHandle("a");
  expect(await handle.result()).toBe("a done!");
  expect(await client.activity<{ t(): string }>({ taskQueue: "q" }).with({ id: "b" }).execute("t")).toBe("b done!");
  expect(await handle.cancel()).toBe("REQUESTED");
  await handle.describe();
  expect(canceled).toEqual(["a", "intercepted"]);
  expect(seen).toEqual([
    ["result", "a"],
    ["result", "b"],
    ["get", ["a"]],
  ]);
  for await (const task of client.tasks.list()) expect(task).toMatchObject({ id: "x", workerId: "w" });
});

test("an interceptor may answer by itself, and what it throws is the caller's", async () => {
  const { client, added } = rig([
    {
      get: async () => ({ tasks: [], missingIds: ["a"] }),
      add: async () => {
        throw new Error("not today");
      },
    },
  ]);
  await expect(client.tasks.get("a")).rejects.toMatchObject({ code: "not_found" });
  await expect(client.tasks.add({ taskQueue: "q", type: "t" })).rejects.toThrow("not today");
  expect(added).toEqual([]);
});

test("without an interceptor a call is itself; methods keep their object, and types are checked", async () => {
  const innermost: Next<ClientInterceptor, "result"> = async ({ id }) => id;
  expect(composeInterceptors<ClientInterceptor, "result">([{}, {}], "result", innermost)).toBe(innermost);
  class Counting implements ClientInterceptor {
    count = 0;
    async result(input: { id: string; options: object }, next: Next<ClientInterceptor, "result">) {
      this.count++;
      return next(input);
    }
  }
  const counting = new Counting();
  const composed = composeInterceptors<ClientInterceptor, "result">([counting], "result", innermost);
  expect([await composed({ id: "a", options: {} }), counting.count]).toEqual(["a", 1]);
  expectTypeOf(composed).parameter(0).toExtend<{ id: string }>();
  const wrong = (): ClientInterceptor[] => [
    // @ts-expect-error there is no such method
    { enqueue: async () => {} },
    // @ts-expect-error it answers handles
    { add: async () => 7 },
  ];
  expectTypeOf(wrong).toBeFunction();
});
