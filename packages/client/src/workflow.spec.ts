import { create } from "@bufbuild/protobuf";
import { type AddTasksRequest, TaskQueueKind, TaskSchema, TaskState } from "@tq/proto";
import { expect, expectTypeOf, test } from "vitest";
import { fakeServer } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import { encodePayload } from "./payload.ts";
import type { AddedTaskHandle } from "./task-handle.ts";
import type { WorkflowArgs, WorkflowName } from "./workflow.ts";

/** What `@tq/worker-sdk` gives a workflow handler, as far as types go. */
interface Task<Args extends readonly unknown[] = readonly unknown[]> {
  readonly args: Args;
  readonly serialKey: string;
}

const workflows = {
  begin: async ({ args: [order, quantity] }: Task<[order: string, quantity: number]>) => ({
    commands: [],
    result: { order, total: quantity * 2 },
  }),
  advance: async (_task: Task, _context: object) => {},
  notAHandler: 7,
};
type Workflows = typeof workflows;

function rig() {
  const added: AddTasksRequest[] = [];
  const transport = fakeServer({
    addTasks: (request) => {
      added.push(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: ({ ids }) => ({
      tasks: ids.map((id) =>
        create(TaskSchema, {
          id,
          outcome: { state: TaskState.COMPLETED, result: encodePayload({ order: "o", total: 4 }) },
        }),
      ),
    }),
  });
  return { client: Client.create({ transport }), added };
}

test("a workflow task is added by its handler's type; a signal has the workflow's id as its serial key", async () => {
  const { client, added } = rig();
  const orders = client.workflow<Workflows>({ taskQueue: "engine", priority: 2 });
  await orders.with({ id: "order-1" }).add("begin", "o", 2);
  await orders.signal("order-1", "advance", { paid: true });
  expect(added.map(({ tasks }) => tasks[0])).toMatchObject([
    {
      id: "order-1",
      type: "begin",
      taskQueue: { name: "engine", kind: TaskQueueKind.WORKFLOW },
      input: [encodePayload("o"), encodePayload(2)],
      priority: 2,
      serialKey: "",
    },
    { type: "advance", serialKey: "order-1", input: [encodePayload({ paid: true })] },
  ]);
  expect(await orders.execute("begin", "o", 2)).toEqual({ order: "o", total: 4 });
});

test("a call may have options of its own, and a task may be made without being added", async () => {
  const { client, added } = rig();
  const orders = client.workflow<Workflows>({ taskQueue: "engine", priority: 2 });
  await orders.addWith("begin", { args: ["o", 2], id: "order-1", priority: 1 });
  await orders.addWith("advance", { serialKey: "order-1", startDelay: "1 minute" });
  expect(await orders.executeWith("begin", { args: ["o", 2], id: "x" })).toEqual({ order: "o", total: 4 });
  await client.tasks.addMany([orders.task("begin", "o", 2)]);
  const taskQueue = { name: "engine", kind: TaskQueueKind.WORKFLOW };
  expect(added.map(({ tasks }) => tasks[0])).toMatchObject([
    { id: "order-1", type: "begin", priority: 1, taskQueue, input: [encodePayload("o"), encodePayload(2)] },
    { type: "advance", serialKey: "order-1", startDelay: { seconds: 60n }, priority: 2, taskQueue },
    { id: "x", type: "begin" },
    { type: "begin", priority: 2, taskQueue },
  ]);
});

test("types, arguments and results are the compiler's to check", () => {
  const { client } = rig();
  const orders = client.workflow<Workflows>({ taskQueue: "engine" });
  expectTypeOf<WorkflowName<Workflows>>().toEqualTypeOf<"begin" | "advance">();
  expectTypeOf<WorkflowArgs<Workflows, "begin">>().toEqualTypeOf<[order: string, quantity: number]>();
  expectTypeOf(() => orders.add("begin", "o", 2)).returns.resolves.toEqualTypeOf<
    AddedTaskHandle<{ order: string; total: number }>
  >();
  expectTypeOf(() => orders.execute("advance")).returns.resolves.toBeUndefined();
  const wrongCalls = () => [
    orders.signal("w", "advance", 1, "anything"),
    // @ts-expect-error there is no such handler
    orders.add("beginn", "o", 2),
    // @ts-expect-error it is no function
    orders.add("notAHandler"),
    // @ts-expect-error an argument is missing
    orders.add("begin", "o"),
    // @ts-expect-error an argument is of another type
    orders.signal("w", "begin", "o", "2"),
    // @ts-expect-error its arguments are missing
    orders.addWith("begin", { id: "o" }),
    // @ts-expect-error the queue is missing
    client.workflow<Workflows>({}),
  ];
  expectTypeOf(wrongCalls).toBeFunction();
});
