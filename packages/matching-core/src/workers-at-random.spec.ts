import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deadlineBucketMs } from "./deadlines.ts";
import { liveWorkerMs } from "./served-queues.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";
import { Workers, type LiveWorker } from "./workers.ts";

const queues: readonly TaskQueue[] = ["q", "r"].map((name) => ({ namespace: "default", name, kind: "activity" }));

/** What is known of a worker that lives, by the rules alone. */
interface Model {
  /** The queues of each of its open polls. */
  readonly open: (readonly TaskQueue[])[];
  lastSeen: number;
  /** The queues that it serves: what rate it asks, and when a poll of each last ended. */
  readonly serves: Map<TaskQueue, { readonly rate: number | undefined; readonly lastNamed: number }>;
  going: boolean;
}

const isOpen = ({ open }: Model, queue: TaskQueue): boolean => open.some((queuesOf) => queuesOf.includes(queue));

const name = fc.constantFrom("a", "b");
const ms = fc.oneof(fc.integer({ min: 1, max: liveWorkerMs - 1 }), fc.constant(liveWorkerMs));
const step = fc.oneof(
  fc.record({ do: fc.constant("call" as const), name }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("poll" as const),
      name,
      queues: fc.subarray([...queues], { minLength: 1 }),
      rate: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("close" as const), name }) },
  fc.record({ do: fc.constantFrom("shut down" as const, "drain" as const), name }),
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms }),
  },
);

const smallest = (rates: readonly (number | undefined)[]): number | undefined => {
  const asked = rates.filter((rate) => rate !== undefined);
  return asked.length === 0 ? undefined : Math.min(...asked);
};

describe("workers at random", () => {
  it("live by their calls, serve what they polled, and are told of as queues gain and lose them", () => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const served = new Set<string>();
      const workers = new Workers({
        served: (key) => {
          expect(served.has(key)).toBe(false);
          served.add(key);
        },
        unserved: (queue) => expect(served.delete(taskQueueKey(queue))).toBe(true),
        askedRateChanged: () => undefined,
      });
      const model = new Map<string, Model>();
      const drained = new Set<string>();
      let now = 0;

      const called = (id: string): { readonly worker: LiveWorker; readonly known: Model } => {
        const call = { namespace: "default", workerId: id, identity: "", buildId: "", registrationsHash: "" };
        const worker = workers.seen(call, now);
        const known = model.get(id) ?? { open: [], lastSeen: now, serves: new Map(), going: drained.has(id) };
        known.lastSeen = now;
        model.set(id, known);
        return { worker, known };
      };

      for (const one of steps) {
        if (one.do === "pass") {
          now += one.ms;
        } else if (one.do === "call") {
          called(one.name);
        } else if (one.do === "poll") {
          const { worker, known } = called(one.name);
          workers.callOpened(worker, one.queues);
          workers.asks(worker, one.queues, one.rate);
          known.open.push(one.queues);
          for (const queue of one.queues) known.serves.set(queue, { rate: one.rate, lastNamed: now });
        } else if (one.do === "drain") {
          workers.drain("default", one.name, now);
          drained.add(one.name);
          const known = model.get(one.name);
          if (known !== undefined) known.going = true;
        } else {
          const worker = workers.get("default", one.name);
          const known = model.get(one.name);
          if (worker === undefined || known === undefined) continue;
          if (one.do === "shut down") {
            workers.shutDown(worker, now);
            known.going = true;
          } else if (known.open.length > 0) {
            const closed = known.open.shift() ?? [];
            workers.callClosed(worker, closed, now);
            known.lastSeen = now;
            for (const queue of closed) {
              const serving = known.serves.get(queue);
              if (serving !== undefined) known.serves.set(queue, { ...serving, lastNamed: now });
            }
          }
        }

        const gone = [...model].filter(([, { open, lastSeen }]) => open.length === 0 && lastSeen + liveWorkerMs <= now);
        expect(new Set(workers.takeGone(now).map(({ workerId }) => workerId))).toEqual(new Set(gone.map(([id]) => id)));
        for (const [id] of gone) model.delete(id);
        expect(workers.nextWake() ?? Infinity).toBeGreaterThan(now);
        for (const known of model.values()) {
          for (const [queue, { lastNamed }] of known.serves) {
            if (!isOpen(known, queue) && lastNamed + liveWorkerMs <= now) known.serves.delete(queue);
          }
        }

        expect(workers.size).toBe(model.size);
        for (const queue of queues) {
          const key = taskQueueKey(queue);
          const polling = [...model].filter(([, { serves }]) => serves.has(queue));
          expect(new Set(workers.ofQueue(queue).map(({ workerId }) => workerId))).toEqual(
            new Set(polling.map(([id]) => id)),
          );
          const isServed = polling.some(([, { going }]) => !going);
          expect([workers.serves(key), served.has(key)]).toEqual([isServed, isServed]);
          expect(workers.askedRate(key)).toBe(smallest(polling.map(([, { serves }]) => serves.get(queue)?.rate)));
        }
        const idle = [...model.values()]
          .filter(({ open }) => open.length === 0)
          .map(({ lastSeen }) => lastSeen + liveWorkerMs);
        for (const known of model.values()) {
          for (const [queue, { lastNamed }] of known.serves)
            if (!isOpen(known, queue)) idle.push(lastNamed + liveWorkerMs);
        }
        if (idle.length > 0) expect(workers.nextWake()).toBeLessThanOrEqual(Math.min(...idle) + deadlineBucketMs);
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});
