import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dealer, type Offer } from "./dealer.ts";

function offer(workerId: string, slots: number, maxBytes = 1_000): Offer {
  return { workerId, pollId: "", leaseMs: 1_000, slots, maxBytes };
}

describe("who gets a task", () => {
  // [slots and bytes of the offers, each of another worker], [offers that take it, its bytes] … → the offer that gets it …
  it.each<[string, [number, number][], [number[], number][], (number | undefined)[]]>([
    ["nobody where nobody waits", [], [[[], 1]], [undefined]],
    ["nobody with no slot", [[0, 100]], [[[0], 1]], [undefined]],
    [
      "each in turn",
      [
        [9, 100],
        [9, 100],
      ],
      [
        [[0, 1], 1],
        [[0, 1], 1],
        [[0, 1], 1],
      ],
      [0, 1, 0],
    ],
    [
      "the other where one is full",
      [
        [1, 100],
        [2, 100],
      ],
      [
        [[0, 1], 1],
        [[0, 1], 1],
        [[0, 1], 1],
        [[0, 1], 1],
      ],
      [0, 1, 1, undefined],
    ],
    [
      "only who takes it",
      [
        [9, 100],
        [9, 100],
        [9, 100],
      ],
      [
        [[1], 1],
        [[0, 2], 1],
        [[1], 1],
      ],
      [1, 2, 1],
    ],
    [
      "slots that two queues share are used up once",
      [[2, 100]],
      [
        [[0], 1],
        [[0], 1],
        [[0], 1],
      ],
      [0, 0, undefined],
    ],
    [
      "a first task however large",
      [[9, 100]],
      [
        [[0], 5_000],
        [[0], 1],
      ],
      [0, undefined],
    ],
    [
      "a large one goes to who has room",
      [
        [9, 10],
        [9, 100],
      ],
      [
        [[0, 1], 9],
        [[0, 1], 9],
        [[0, 1], 9],
      ],
      [0, 1, 1],
    ],
  ])("%s", (_name, offers, tasks, got) => {
    const dealer = new Dealer(offers.map(([slots, maxBytes], i) => offer(`w${i}`, slots, maxBytes)));
    expect(tasks.map(([among, bytes]) => dealer.deal(among, bytes))).toEqual(got);
  });
});

describe("dealer", () => {
  it("deals in turn, and passes over those that are full", () => {
    const dealer = new Dealer([offer("a", 1), offer("b", 3), offer("c", 2)]);
    const dealt = Array.from({ length: 7 }, () => dealer.deal([0, 1, 2], 1));
    expect(dealt).toEqual([0, 1, 2, 1, 2, 1, undefined]);
  });

  it("the turn goes on from one claim to the next", () => {
    const dealer = new Dealer([offer("a", 9), offer("b", 9), offer("c", 9)]);
    expect(dealer.deal([0, 1], 1)).toBe(0);
    expect(dealer.deal([0, 1, 2], 1)).toBe(1);
    expect(dealer.deal([0, 2], 1)).toBe(2);
    expect(dealer.deal([0, 2], 1)).toBe(0);
  });

  it("fills one offer of a worker before its next", () => {
    const dealer = new Dealer([offer("a", 2), offer("a", 2)]);
    const dealt = Array.from({ length: 5 }, () => dealer.deal([0, 1], 1));
    expect(dealt).toEqual([0, 0, 1, 1, undefined]);
  });

  it("deals to each worker in turn, however many offers it has", () => {
    const dealer = new Dealer([offer("a", 2), offer("b", 9), offer("a", 9), offer("a", 9), offer("c", 9)]);
    const dealt = Array.from({ length: 9 }, () => dealer.deal([0, 1, 2, 3, 4], 1));
    // a's, b's and c's, three times.
    expect(dealt).toEqual([0, 1, 4, 0, 1, 4, 2, 1, 4]);
  });

  it("a worker whose first offer is full keeps its turn", () => {
    const dealer = new Dealer([offer("a", 9), offer("b", 1), offer("c", 9), offer("b", 9)]);
    const dealt = Array.from({ length: 6 }, () => dealer.deal([0, 1, 2, 3], 1));
    expect(dealt).toEqual([0, 1, 2, 0, 3, 2]);
  });

  it("counts slots once, whichever claim uses them", () => {
    const dealer = new Dealer([offer("a", 2), offer("b", 1)]);
    expect(dealer.capacity([0, 1])).toBe(3);
    expect(dealer.deal([0], 1)).toBe(0);
    expect(dealer.capacity([0])).toBe(1);
    expect(dealer.deal([0, 1], 1)).toBe(1);
    expect(dealer.capacity([0, 1])).toBe(1);
  });

  const madeOffers = fc.array(fc.record({ worker: fc.nat(2), slots: fc.nat(4), maxBytes: fc.nat(300) }), {
    maxLength: 5,
  });

  it("never goes over slots or bytes, and leaves nobody idle while another is full", () => {
    const property = fc.property(madeOffers, fc.array(fc.nat(150), { maxLength: 30 }), (made, sizes) => {
      const dealer = new Dealer(made.map(({ worker, slots, maxBytes }) => offer(`w${worker}`, slots, maxBytes)));
      const all = made.map((_, i) => i);
      const got = made.map((): number[] => []);
      for (const size of sizes) {
        const to = dealer.deal(all, size);
        if (to !== undefined) got[to]?.push(size);
        else expect(all.filter((i) => (got[i]?.length ?? 0) === 0 && (made[i]?.slots ?? 0) > 0)).toEqual([]);
      }
      made.forEach(({ slots, maxBytes }, i) => {
        const sizesOf = got[i] ?? [];
        expect(sizesOf.length).toBeLessThanOrEqual(slots);
        const bytes = sizesOf.reduce((sum, size) => sum + size, 0);
        if (sizesOf.length > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("no worker gets over one more than another who has room, and none of its offers before the one in front is full", () => {
    const some = fc.tuple(madeOffers, fc.array(fc.subarray([0, 1, 2, 3, 4]), { maxLength: 20 }));
    const property = fc.property(some, fc.boolean(), ([made, subsets], isAll) => {
      const dealer = new Dealer(made.map(({ worker, slots }) => offer(`w${worker}`, slots)));
      const all = made.map((_, i) => i);
      const dealt = made.map(() => 0);
      const isOpen = (i: number): boolean => (dealt[i] ?? 0) < (made[i]?.slots ?? 0);
      for (const subset of subsets) {
        const among = isAll ? all : all.filter((i) => subset.includes(i));
        const open = among.filter(isOpen);
        const to = dealer.deal(among, 1);
        expect(to === undefined).toBe(open.length === 0);
        if (to === undefined) continue;
        expect(to).toBe(open.find((i) => made[i]?.worker === made[to]?.worker));
        dealt[to] = (dealt[to] ?? 0) + 1;
        if (!isAll) continue;
        const workers = [...new Set(made.map(({ worker }) => worker))];
        const sum = (worker: number): number =>
          all.reduce((n, i) => n + (made[i]?.worker === worker ? (dealt[i] ?? 0) : 0), 0);
        const withRoom = workers.filter((worker) => all.some((i) => made[i]?.worker === worker && isOpen(i)));
        for (const worker of workers)
          for (const other of withRoom) expect(sum(worker) - sum(other)).toBeLessThanOrEqual(1);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });
});
