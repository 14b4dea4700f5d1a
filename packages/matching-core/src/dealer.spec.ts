import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dealer, type Offer } from "./dealer.ts";

function offer(slots: number, maxBytes = 1_000): Offer {
  return { workerId: "w", pollId: "", leaseMs: 1_000, slots, maxBytes };
}

describe("who gets a task", () => {
  // [slots and bytes of the offers], [offers that take it, its bytes] … → the offer that gets it …
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
    const dealer = new Dealer(offers.map(([slots, maxBytes]) => offer(slots, maxBytes)));
    expect(tasks.map(([among, bytes]) => dealer.deal(among, bytes))).toEqual(got);
  });
});

describe("dealer", () => {
  it("deals in turn, and passes over those that are full", () => {
    const dealer = new Dealer([offer(1), offer(3), offer(2)]);
    const dealt = Array.from({ length: 7 }, () => dealer.deal([0, 1, 2], 1));
    expect(dealt).toEqual([0, 1, 2, 1, 2, 1, undefined]);
  });

  it("the turn goes on from one claim to the next", () => {
    const dealer = new Dealer([offer(9), offer(9), offer(9)]);
    expect(dealer.deal([0, 1], 1)).toBe(0);
    expect(dealer.deal([0, 1, 2], 1)).toBe(1);
    expect(dealer.deal([0, 2], 1)).toBe(2);
    expect(dealer.deal([0, 2], 1)).toBe(0);
  });

  it("counts slots once, whichever claim uses them", () => {
    const dealer = new Dealer([offer(2), offer(1)]);
    expect(dealer.capacity([0, 1])).toBe(3);
    expect(dealer.deal([0], 1)).toBe(0);
    expect(dealer.capacity([0])).toBe(1);
    expect(dealer.deal([0, 1], 1)).toBe(1);
    expect(dealer.capacity([0, 1])).toBe(1);
  });

  it("never goes over slots or bytes, and leaves nobody idle while another is full", () => {
    const offers = fc.array(fc.record({ slots: fc.nat(4), maxBytes: fc.nat(300) }), { maxLength: 4 });
    const property = fc.property(offers, fc.array(fc.nat(150), { maxLength: 30 }), (made, sizes) => {
      const dealer = new Dealer(made.map(({ slots, maxBytes }) => offer(slots, maxBytes)));
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
});
