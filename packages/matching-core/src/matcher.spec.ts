import { describe, expect, it } from "vitest";
import { Matcher, type ClaimPlan, type TypeSet, type WaitingPoll } from "./matcher.ts";
import { taskQueueKey, type TaskQueue } from "./task-queue.ts";

const queue = (name: string): TaskQueue => ({ namespace: "default", name, kind: "activity" });
const q1 = queue("q1");
const q2 = queue("q2");

function poll(
  queues: readonly TaskQueue[],
  more: { types?: TypeSet; until?: number; slots?: number } = {},
): WaitingPoll {
  const { types = null, until = 60_000, slots = 1 } = more;
  return {
    offer: { workerId: "w", pollId: "", leaseMs: 1_000, slots, maxBytes: 1_000 },
    queues: queues.map((one) => ({ queue: one, types })),
    until,
  };
}

function matcherWith(...polls: readonly WaitingPoll[]): Matcher<WaitingPoll> {
  const matcher = new Matcher<WaitingPoll>();
  for (const one of polls) matcher.add(one);
  return matcher;
}

/** Says that every claim of the plan found nothing more. */
function allDry(matcher: Matcher<WaitingPoll>, plan: ClaimPlan, until?: number): void {
  matcher.settle(
    plan,
    plan.claims.map(() => ({ dry: true, ...(until !== undefined && { until }) })),
  );
}

const claimed = (plan: ClaimPlan) => plan.claims.map((claim) => [claim.queue.name, claim.offers]);

type Happens =
  | { readonly poll: string; readonly of: readonly TaskQueue[]; readonly types?: TypeSet }
  | { readonly leaves: string }
  | { readonly touched: TaskQueue }
  /** What is planned at that time is claimed: everything there was, or not all of it. */
  | { readonly claimedAt: number; readonly dry: boolean; readonly until?: number };

const keyed = ({ queue, types }: ClaimPlan["claims"][number]): string => `${queue.name} ${types?.join(" ") ?? ""}`;

/** Lets the events happen, and answers what is claimed at last: queue, types, and the polls that it is for. */
function claimsAfter(events: readonly Happens[], now: number): unknown {
  const matcher = new Matcher<WaitingPoll>();
  const polls = new Map<string, WaitingPoll>();
  for (const event of events) {
    if ("poll" in event) {
      const { poll: name, of, types = null } = event;
      const waiting = poll(of, { types });
      polls.set(name, waiting);
      matcher.add(waiting);
    } else if ("leaves" in event) {
      const leaving = polls.get(event.leaves);
      if (leaving !== undefined) matcher.delete(leaving);
    } else if ("touched" in event) {
      matcher.touch([taskQueueKey(event.touched)]);
    } else {
      const { claimedAt, dry, until } = event;
      const plan = matcher.plan(claimedAt);
      matcher.settle(
        plan,
        plan.claims.map(() => ({ dry, ...(until !== undefined && { until }) })),
      );
    }
  }
  const nameOf = (waiting: WaitingPoll | undefined): string | undefined =>
    [...polls].find(([, one]) => one === waiting)?.[0];
  const plan = matcher.plan(now);
  // Which queue comes first is another test's.
  const claims = plan.claims.toSorted((a, b) => (keyed(a) < keyed(b) ? -1 : 1));
  return claims.map(({ queue: { name }, types, offers }) => [name, types, offers.map((i) => nameOf(plan.polls[i]))]);
}

describe("what is claimed", () => {
  const dry = { claimedAt: 0, dry: true } as const;

  // [events], now → [queue, types, polls] …
  it.each<[string, readonly Happens[], number, unknown[]]>([
    ["nothing while nobody waits", [{ touched: q1 }], 0, []],
    ["what one waits for", [{ poll: "a", of: [q1] }], 0, [["q1", null, ["a"]]]],
    [
      "once for all who wait for the same",
      [
        { poll: "a", of: [q1], types: ["x"] },
        { poll: "b", of: [q1], types: ["x"] },
      ],
      0,
      [["q1", ["x"], ["a", "b"]]],
    ],
    [
      "apart for those with other types",
      [
        { poll: "a", of: [q1], types: ["x"] },
        { poll: "b", of: [q1], types: ["x", "y"] },
      ],
      0,
      [
        ["q1", ["x"], ["a"]],
        ["q1", ["x", "y"], ["b"]],
      ],
    ],
    [
      "for each queue of one poll",
      [{ poll: "a", of: [q1, q2] }],
      0,
      [
        ["q1", null, ["a"]],
        ["q2", null, ["a"]],
      ],
    ],
    ["nothing where nothing was left", [{ poll: "a", of: [q1] }, dry], 1_000, []],
    ["what is touched again", [{ poll: "a", of: [q1, q2] }, dry, { touched: q2 }], 1_000, [["q2", null, ["a"]]]],
    ["nothing for what is touched elsewhere", [{ poll: "a", of: [q1] }, dry, { touched: q2 }], 1_000, []],
    [
      "what was cut short",
      [
        { poll: "a", of: [q1] },
        { ...dry, dry: false },
      ],
      0,
      [["q1", null, ["a"]]],
    ],
    [
      "nothing before the store's time",
      [
        { poll: "a", of: [q1] },
        { ...dry, until: 500 },
      ],
      499,
      [],
    ],
    [
      "at the store's time",
      [
        { poll: "a", of: [q1] },
        { ...dry, until: 500 },
      ],
      500,
      [["q1", null, ["a"]]],
    ],
    [
      "nothing at a time that is no longer true",
      [{ poll: "a", of: [q1] }, { ...dry, until: 500 }, { touched: q1 }, { ...dry, until: 900 }],
      500,
      [],
    ],
    [
      "nothing for one more that joins those who found nothing",
      [{ poll: "a", of: [q1] }, dry, { poll: "b", of: [q1] }],
      0,
      [],
    ],
    [
      "for one more of other types",
      [{ poll: "a", of: [q1] }, dry, { poll: "b", of: [q1], types: ["x"] }],
      0,
      [["q1", ["x"], ["b"]]],
    ],
    [
      "for those who are left",
      [{ poll: "a", of: [q1] }, { poll: "b", of: [q1] }, { leaves: "a" }],
      0,
      [["q1", null, ["b"]]],
    ],
    ["nothing once all have left", [{ poll: "a", of: [q1] }, { leaves: "a" }, { touched: q1 }], 0, []],
    [
      "anew for the first who comes again",
      [{ poll: "a", of: [q1] }, dry, { leaves: "a" }, { poll: "b", of: [q1] }],
      0,
      [["q1", null, ["b"]]],
    ],
  ])("%s", (_name, events, now, claims) => {
    expect(claimsAfter(events, now)).toEqual(claims);
  });
});

describe("matcher", () => {
  it("claims once for all polls of a queue with the same types", () => {
    const polls = [poll([q1], { types: ["x"] }), poll([q1], { types: ["x"] }), poll([q1], { types: ["x", "y"] })];
    const plan = matcherWith(...polls).plan(0);
    expect(plan.polls).toEqual(polls);
    expect(plan.claims).toEqual([
      { queue: q1, types: ["x"], offers: [0, 1] },
      { queue: q1, types: ["x", "y"], offers: [2] },
    ]);
  });

  it("takes every type and some types for two things", () => {
    const plan = matcherWith(poll([q1]), poll([q1], { types: [] }), poll([q1], { types: ["*"] })).plan(0);
    expect(plan.claims.map((claim) => claim.types)).toContainEqual(null);
  });

  it("lists a poll's offer once, however many queues share its slots", () => {
    const plan = matcherWith(poll([q1, q2])).plan(0);
    expect(plan.polls).toHaveLength(1);
    expect(claimed(plan)).toEqual([
      ["q1", [0]],
      ["q2", [0]],
    ]);
  });

  it("gives offers in ascending order, whoever came first to which queue", () => {
    const matcher = matcherWith(poll([q1]), poll([q2]), poll([q2, q1]), poll([q1, q2]));
    for (let round = 0; round < 4; round++) {
      for (const { offers } of matcher.plan(0).claims) expect(offers).toEqual(offers.toSorted((a, b) => a - b));
    }
  });

  it("begins each round with another queue", () => {
    const matcher = matcherWith(poll([q1, q2]));
    const firsts = Array.from({ length: 4 }, () => matcher.plan(0).claims[0]?.queue.name);
    expect(firsts).toEqual(["q1", "q2", "q1", "q2"]);
  });

  it("touches every group of a queue", () => {
    const matcher = matcherWith(poll([q1], { types: ["x"] }), poll([q1], { types: ["y"] }));
    allDry(matcher, matcher.plan(0));
    matcher.touch([taskQueueKey(q1)]);
    expect(matcher.plan(0).claims).toHaveLength(2);
  });

  it("a poll that joins a dry group waits with it; one with other types is looked at", () => {
    const matcher = matcherWith(poll([q1]));
    allDry(matcher, matcher.plan(0));
    matcher.add(poll([q1]));
    expect(matcher.hot).toBe(false);
    matcher.add(poll([q1], { types: ["x"] }));
    expect(matcher.plan(0).claims.map((claim) => claim.types)).toEqual([["x"]]);
  });

  it("wakes a dry group when the store said so", () => {
    const matcher = matcherWith(poll([q1]));
    allDry(matcher, matcher.plan(0), 5_000);
    expect(matcher.nextClaim()).toBe(5_000);
    expect(matcher.plan(4_999).claims).toEqual([]);
    expect(matcher.plan(5_000).claims).toHaveLength(1);
  });

  it("forgets a poll that is answered or gone, and its group with the last", () => {
    const [a, b] = [poll([q1, q2]), poll([q1])];
    const matcher = matcherWith(a, b);
    expect(matcher.delete(a)).toBe(true);
    expect(matcher.delete(a)).toBe(false);
    expect(matcher.size).toBe(1);
    expect(claimed(matcher.plan(0))).toEqual([["q1", [0]]]);
    matcher.delete(b);
    expect([matcher.hot, matcher.nextEnd(), matcher.size]).toEqual([false, undefined, 0]);
  });

  it("a poll that is deleted between plan and outcome harms nobody", () => {
    const [a, b] = [poll([q1]), poll([q2])];
    const matcher = matcherWith(a, b);
    const plan = matcher.plan(0);
    matcher.delete(a);
    allDry(matcher, plan);
    expect(matcher.hot).toBe(false);
    matcher.add(a);
    expect(claimed(matcher.plan(0))).toEqual([["q1", [0]]]);
  });

  it("a group whose last poll is gone is not tried again when its outcome says so", () => {
    const a = poll([q1]);
    const matcher = matcherWith(a);
    const plan = matcher.plan(0);
    matcher.delete(a);
    allDry(matcher, plan, 5_000);
    expect(matcher.nextClaim()).toBe(undefined);
    expect(matcher.plan(5_000).claims).toEqual([]);
    expect(matcher.hot).toBe(false);
  });

  it("a poll that comes while an earlier one's claim is under way is claimed for", () => {
    const [a, b] = [poll([q1]), poll([q1])];
    const matcher = matcherWith(a);
    const plan = matcher.plan(0);
    matcher.delete(a);
    matcher.add(b);
    allDry(matcher, plan);
    expect(matcher.plan(0).polls).toEqual([b]);
  });

  it("a poll of the same queue twice is one poll", () => {
    const twice = poll([q1, q1]);
    const matcher = matcherWith(twice);
    expect(claimed(matcher.plan(0))).toEqual([["q1", [0]]]);
    matcher.delete(twice);
    expect([matcher.size, matcher.plan(0).claims]).toEqual([0, []]);
  });

  it("takes out the polls whose time is over", () => {
    const [a, b] = [poll([q1], { until: 1_000 }), poll([q1], { until: 2_000 })];
    const matcher = matcherWith(a, b);
    expect(matcher.nextEnd()).toBeLessThanOrEqual(1_100);
    expect(matcher.takeEnded(999)).toEqual([]);
    expect(matcher.takeEnded(1_000)).toEqual([a]);
    expect(matcher.plan(1_000).polls).toEqual([b]);
  });

  it("takes out all of them when the server drains", () => {
    const polls = [poll([q1]), poll([q2])];
    const matcher = matcherWith(...polls);
    expect(matcher.takeAll()).toEqual(polls);
    expect([matcher.size, matcher.hot, matcher.nextEnd(), matcher.nextClaim()]).toEqual([
      0,
      false,
      undefined,
      undefined,
    ]);
  });

  it("an idle queue leaves nothing behind", () => {
    const matcher = new Matcher<WaitingPoll>();
    for (let i = 0; i < 100; i++) {
      const one = poll([queue(`${i}`)]);
      matcher.add(one);
      allDry(matcher, matcher.plan(0), 1e6);
      matcher.delete(one);
    }
    expect([matcher.size, matcher.hot, matcher.nextEnd(), matcher.nextClaim()]).toEqual([
      0,
      false,
      undefined,
      undefined,
    ]);
  });
});
