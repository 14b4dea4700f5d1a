import { expect, it } from "vitest";
import { KeyedTaskQueue, taskQueueKey, type TaskQueue } from "./task-queue.ts";

it("a queue has one key, however it came about", () => {
  const plain: TaskQueue = { namespace: "default", name: "q", kind: "activity" };
  const keyed: TaskQueue = new KeyedTaskQueue("default", "q", "activity");
  expect(taskQueueKey(keyed)).toBe(taskQueueKey(plain));
  // A copy with another name must not keep the key.
  expect(taskQueueKey({ ...keyed })).toBe(taskQueueKey(plain));
  expect(taskQueueKey({ ...keyed, name: "r" })).toBe(taskQueueKey({ ...plain, name: "r" }));
  expect(JSON.stringify(keyed)).toBe(JSON.stringify(plain));
});

it("the keys of two queues differ wherever the queues do", () => {
  const keys = ["a", "b"].flatMap((namespace) =>
    ["a", "b"].flatMap((name) =>
      (["activity", "workflow"] as const).map((kind) => taskQueueKey(new KeyedTaskQueue(namespace, name, kind))),
    ),
  );
  expect(new Set(keys).size).toBe(8);
});
