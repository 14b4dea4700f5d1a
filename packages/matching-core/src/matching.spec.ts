/*
 * Matcher and dealer at work together, over a store that is a plain list: what a server promises of dispatch must follow
 * from them, whatever comes in which order.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deadlineBucketMs } from "./deadlines.ts";
import { Dealer, type Offer } from "./dealer.ts";
import { Matcher, type ClaimOutcome, type TypeSet, type WaitingPoll } from "./matcher.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";

const queues: readonly TaskQueue[] = ["q1", "q2", "q3"].map((name) => ({
  namespace: "default",
  name,
  kind: "activity",
}));

interface Task {
  readonly queue: TaskQueue;
  readonly type: string;
  /** Its place in the order of its queue. */
  readonly place: number;
  readonly bytes: number;
  /** Ms that its queue may dispatch nothing more once it went, as a rate limit has it. */
  readonly closesFor: number;
}

interface Waiting extends WaitingPoll {
  /** Tasks of the one answer that it gets. */
  readonly got: Task[];
}

const takes = (types: TypeSet, type: string): boolean => types === null || types.includes(type);

/** Whether a poll could be given this task now. */
const suits = ({ queues: polled }: WaitingPoll, task: Task): boolean =>
  polled.some(({ queue, types }) => queue === task.queue && takes(types, task.type));

/** A server of one list. Tasks are claimed in order of their place, as long as their queue may dispatch. */
class Server {
  readonly matcher = new Matcher<Waiting>();
  readonly ended: Waiting[] = [];
  tasks: Task[] = [];
  now = 0;
  readonly #closedUntil = new Map<TaskQueue, number>();

  /** When the queue may dispatch again; undefined: now. */
  closedUntil(queue: TaskQueue): number | undefined {
    const until = this.#closedUntil.get(queue) ?? 0;
    return until > this.now ? until : undefined;
  }

  add(task: Task): void {
    this.tasks.push(task);
    this.tasks.sort((a, b) => a.place - b.place);
    this.matcher.touch([taskQueueKey(task.queue)]);
  }

  /** Commits until there is nothing more to claim. */
  settle(): void {
    for (const poll of this.matcher.takeEnded(this.now)) this.ended.push(poll);
    for (let commits = 0; this.matcher.hot || (this.matcher.nextClaim() ?? Infinity) <= this.now; commits++) {
      if (commits > 1_000) throw new Error("it never ends");
      this.#commit();
    }
  }

  #commit(): void {
    const plan = this.matcher.plan(this.now);
    const dealer = new Dealer(plan.polls.map((poll) => poll.offer));
    const outcomes = plan.claims.map(({ queue, types, offers }): ClaimOutcome => {
      for (const task of this.tasks.filter((one) => one.queue === queue && takes(types, one.type))) {
        const until = this.closedUntil(queue);
        if (until !== undefined) return { dry: true, until };
        const offer = dealer.deal(offers, task.bytes);
        if (offer === undefined) return { dry: false };
        const poll = plan.polls[offer];
        if (poll === undefined || !suits(poll, task)) throw new Error("dealt to a poll that cannot run it");
        poll.got.push(task);
        this.tasks = this.tasks.filter((one) => one !== task);
        if (task.closesFor > 0) this.#closedUntil.set(queue, this.now + task.closesFor);
      }
      return { dry: true };
    });
    this.matcher.settle(plan, outcomes);
    for (const poll of plan.polls.filter(({ got }) => got.length > 0)) this.matcher.delete(poll);
  }
}

const types = fc.option(fc.subarray(["x", "y"], { minLength: 1 }), { nil: null });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("poll" as const),
      worker: fc.constantFrom("w1", "w2"),
      queues: fc.subarray([0, 1, 2], { minLength: 1 }),
      types,
      slots: fc.integer({ min: 1, max: 4 }),
      maxBytes: fc.constantFrom(10, 1_000),
      wait: fc.constantFrom(50, 5_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("add" as const),
      queue: fc.nat(2),
      type: fc.constantFrom("x", "y"),
      urgency: fc.nat(2),
      bytes: fc.constantFrom(1, 8, 50),
      closesFor: fc.constantFrom(0, 0, 0, 300),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), poll: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(10, 100, 400) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Runs the steps; `look` is told of the server after each, and of all polls there were. */
function run(steps: readonly Step[], look: (server: Server, polls: readonly Waiting[]) => void): void {
  const server = new Server();
  const polls: Waiting[] = [];
  steps.forEach((one, n) => {
    switch (one.do) {
      case "poll": {
        const offer: Offer = {
          workerId: one.worker,
          pollId: `${n}`,
          leaseMs: 1_000,
          slots: one.slots,
          maxBytes: one.maxBytes,
        };
        const polled = one.queues.map((i) => ({ queue: queues[i] ?? queues[0]!, types: one.types }));
        const poll: Waiting = { offer, queues: polled, until: server.now + one.wait, got: [] };
        polls.push(poll);
        server.matcher.add(poll);
        break;
      }
      case "add": {
        const place = one.urgency * 1_000 + n;
        server.add({ ...one, queue: queues[one.queue] ?? queues[0]!, place });
        break;
      }
      case "leave": {
        const waiting = polls.filter((poll) => server.matcher.has(poll));
        const poll = waiting[one.poll % Math.max(waiting.length, 1)];
        if (poll !== undefined) server.matcher.delete(poll);
        break;
      }
      case "pass":
        server.now += one.ms;
        break;
    }
    server.settle();
    look(server, polls);
  });
}

const check = (look: (server: Server, polls: readonly Waiting[]) => void): void => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => run(steps, look));
  fc.assert(property, { numRuns: 300 });
};

describe("matching", () => {
  it("gives two workers with two polls each as many tasks over many commits, also where a commit has three", () => {
    const server = new Server();
    const [queue] = queues;
    if (queue === undefined) throw new Error("no queue");
    const got = new Map([
      ["a", 0],
      ["b", 0],
    ]);
    const ask = (workerId: string): Waiting => {
      const offer: Offer = { workerId, pollId: "", leaseMs: 1_000, slots: 10, maxBytes: 1_000 };
      const poll: Waiting = { offer, queues: [{ queue, types: null }], until: 60_000, got: [] };
      server.matcher.add(poll);
      return poll;
    };
    let polls = ["a", "a", "b", "b"].map(ask);
    for (let commit = 0; commit < 30; commit++) {
      server.tasks = [0, 1, 2].map((n) => ({ queue, type: "x", place: 3 * commit + n, bytes: 1, closesFor: 0 }));
      server.matcher.touch([taskQueueKey(queue)]);
      server.settle();
      // Who was answered asks again, behind those who wait still.
      const answered = polls.filter((poll) => poll.got.length > 0);
      for (const { offer, got: tasks } of answered)
        got.set(offer.workerId, (got.get(offer.workerId) ?? 0) + tasks.length);
      polls = [...polls.filter((poll) => poll.got.length === 0), ...answered.map(({ offer }) => ask(offer.workerId))];
    }
    expect([...got.values()]).toEqual([45, 45]);
  });

  it("never lets a task overtake one that its poller could have had", () => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const seen = new Map<Waiting, number>();
      run(steps, (server, polls) => {
        for (const poll of polls) {
          for (const got of poll.got.slice(seen.get(poll) ?? 0)) {
            const overtaken = server.tasks.filter(
              (task) => task.queue === got.queue && task.place < got.place && suits(poll, task),
            );
            expect(overtaken).toEqual([]);
          }
          seen.set(poll, poll.got.length);
        }
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("keeps the order of a queue in each answer", () => {
    check((_server, polls) => {
      for (const { got } of polls) {
        for (const queue of queues) {
          const places = got.filter((task) => task.queue === queue).map((task) => task.place);
          expect(places).toEqual(places.toSorted((a, b) => a - b));
        }
      }
    });
  });

  it("never hands out more than a poll has slots or bytes for, over all queues that share them", () => {
    check((_server, polls) => {
      for (const { got, offer } of polls) {
        expect(got.length).toBeLessThanOrEqual(offer.slots);
        if (got.length > 1) expect(got.reduce((sum, task) => sum + task.bytes, 0)).toBeLessThanOrEqual(offer.maxBytes);
      }
    });
  });

  it("answers each poll once: with tasks, empty when its time is over, or not at all if it left", () => {
    check((server, polls) => {
      for (const poll of polls) {
        if (server.matcher.has(poll)) expect([poll.got, poll.until > server.now]).toEqual([[], true]);
        if (server.ended.includes(poll)) expect(poll.got).toEqual([]);
      }
    });
  });

  it("leaves nobody waiting for a task that waits for somebody, but while its queue may not dispatch", () => {
    check((server, polls) => {
      const ready = server.tasks.filter(({ queue }) => server.closedUntil(queue) === undefined);
      const idle = polls.filter((poll) => server.matcher.has(poll));
      for (const poll of idle) expect(ready.filter((task) => suits(poll, task))).toEqual([]);
    });
  });

  it("wants to be woken once a queue may dispatch again or a poll's time is over, a bucket later at most", () => {
    check((server, polls) => {
      const idle = polls.filter((poll) => server.matcher.has(poll));
      const held = server.tasks.filter((task) => idle.some((poll) => suits(poll, task)));
      const at = Math.min(
        ...held.map(({ queue }) => server.closedUntil(queue) ?? Infinity),
        ...idle.map(({ until }) => until),
      );
      const { matcher } = server;
      const wakes = [matcher.nextEnd(), matcher.nextClaim()].filter((one) => one !== undefined);
      const wake = wakes.length === 0 ? undefined : Math.min(...wakes);
      if (at < Infinity) expect(wake).toBeLessThanOrEqual(at + deadlineBucketMs);
      // It may be woken for a queue whose tasks are gone by then, but never for one that is closed still.
      if (wake !== undefined) expect(wake).toBeGreaterThan(server.now);
      if (idle.length === 0) expect(wake).toBeUndefined();
    });
  });
});
