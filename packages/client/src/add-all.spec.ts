import type { AddTasksRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { Code, fakeServer, refusal } from "../test/fake-server.ts";
import { settle } from "../test/manual-clock.ts";
import { Client } from "./client.ts";
import type { NewTask } from "./new-task.ts";

/** A server that refuses tasks of the type `bad`, and knows the id `known`; it answers a call when told to. */
function rig() {
  const calls: AddTasksRequest[] = [];
  const held: (() => void)[] = [];
  let isHolding = true;
  const transport = fakeServer({
    async addTasks(request) {
      calls.push(request);
      if (isHolding) await new Promise<void>((resolve) => held.push(resolve));
      const index = request.tasks.findIndex(({ type }) => type === "bad");
      if (index >= 0) {
        const fields = [{ field: `tasks[${index}].type`, description: "is bad" }];
        throw refusal(Code.InvalidArgument, "INVALID_FIELD", `tasks[${index}].type: is bad`, { fields });
      }
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1, existed: id === "known" })) };
    },
  });
  const backPressure = { maxWaitingTasks: 10 };
  const client = Client.create({ transport, backPressure, coalescing: { maxTasksPerCall: 5 } });
  const letGo = () => {
    isHolding = false;
    for (const go of held.splice(0)) go();
  };
  return { client, calls, letGo, answerOne: async () => (held.shift()!(), settle()) };
}

const task = (type: string, id?: string): NewTask => ({ taskQueue: "q", type, ...(id !== undefined && { id }) });

/** Counts what is taken of it. */
function source(types: string[]) {
  const taken = { count: 0, isClosed: false };
  async function* read(): AsyncGenerator<NewTask> {
    try {
      for (const type of types) {
        taken.count++;
        yield task(type, type === "known" ? "known" : undefined);
      }
    } finally {
      taken.isClosed = true;
    }
  }
  return { read, taken };
}

test("a long source is added in batches and in order, and no more is taken from it than there is room for", async () => {
  const { client, calls, letGo, answerOne } = rig();
  const types = Array.from({ length: 500 }, (_, n) => `t${n}`);
  const { read, taken } = source(types);
  const adding = client.tasks.addAll(read());
  await settle();
  // Ten have room, and one is at hand.
  expect(taken.count).toBe(11);
  await answerOne();
  expect(taken.count).toBe(16);
  letGo();
  expect(await adding).toEqual({ added: 500, existed: 0, refused: 0 });
  expect(calls.flatMap(({ tasks }) => tasks.map(({ type }) => type))).toEqual(types);
  expect(calls.length).toBeLessThan(120);
});

test("arrays do as well; what was known and what was refused is told, and the others go on", async () => {
  const { client, letGo } = rig();
  letGo();
  const added: [string, number][] = [];
  const refused: unknown[] = [];
  const summary = await client.tasks.addAll([task("a", "known"), task("bad"), task("c", "c")], {
    onAdded: ({ id }, index) => void added.push([id, index]),
    onRefused: (error, { type }, index) => void refused.push([error.code, type, index]),
  });
  expect(summary).toEqual({ added: 1, existed: 1, refused: 1 });
  expect(added.toSorted(([a], [b]) => a.localeCompare(b))).toEqual([
    ["c", 2],
    ["known", 0],
  ]);
  expect(refused).toEqual([["invalid_argument", "bad", 1]]);
});

test("without a listener the first that is refused ends it, once those on their way are answered", async () => {
  const { client, letGo } = rig();
  letGo();
  const { read, taken } = source(["a", "bad", ...Array.from({ length: 1_000 }, () => "c")]);
  const added: number[] = [];
  const adding = client.tasks.addAll(read(), { onAdded: (_, index) => void added.push(index) });
  await expect(adding).rejects.toMatchObject({
    code: "invalid_argument",
    message: "Task 1 of the source: type: is bad",
  });
  expect(taken.isClosed).toBe(true);
  expect(taken.count).toBeLessThan(100);
  expect(added.length).toBe(taken.count - 2);
});

test("a source that throws, a listener that throws and a signal end it", async () => {
  const { client, letGo } = rig();
  async function* broken() {
    yield task("a");
    throw new Error("unreadable");
  }
  const ending = new AbortController();
  const { read, taken } = source(Array.from({ length: 50 }, () => "t"));
  const aborted = client.tasks.addAll(read(), { signal: ending.signal });
  await settle();
  ending.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(taken).toEqual({ count: 11, isClosed: true });
  letGo();
  await expect(client.tasks.addAll(broken())).rejects.toThrow("unreadable");
  const onAdded = () => {
    throw new Error("listener");
  };
  await expect(client.tasks.addAll([task("a")], { onAdded })).rejects.toThrow("listener");
  await client.close();
});
