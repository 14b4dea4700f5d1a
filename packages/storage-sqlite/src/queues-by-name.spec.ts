import { taskQueueKey, type TaskQueue } from "@tq/matching-core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { QueuesByName } from "./queues-by-name.ts";

const anyQueue: fc.Arbitrary<TaskQueue> = fc.record({
  namespace: fc.constantFrom("n", "m"),
  name: fc.constantFrom("a", "b", "c"),
  kind: fc.constantFrom("activity", "workflow"),
});
const step = fc.record({ do: fc.constantFrom("add", "add", "delete", "clear"), queue: anyQueue });

it("finds a queue by its namespace, name and kind from when it is added until it goes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(anyQueue), (steps, asked) => {
      const queues = new QueuesByName<{ readonly queue: TaskQueue }>();
      const expected = new Map<string, { readonly queue: TaskQueue }>();
      for (const { do: what, queue } of steps) {
        const key = taskQueueKey(queue);
        const state = { queue };
        if (what === "add") {
          queues.add(state);
          expected.set(key, state);
        } else if (what === "delete") {
          queues.delete(expected.get(key) ?? state);
          expected.delete(key);
        } else {
          queues.clear();
          expected.clear();
        }
        for (const one of [queue, ...asked]) expect(queues.get(one)).toBe(expected.get(taskQueueKey(one)));
      }
    }),
  );
});
