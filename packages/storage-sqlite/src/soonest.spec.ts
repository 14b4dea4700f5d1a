import fc from "fast-check";
import { expect, it } from "vitest";
import { Soonest } from "./soonest.ts";

type Step = { readonly do: "add" | "remove" | "ask" | "forget"; readonly at: number };
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("add", "add", "remove", "ask", "ask", "forget"),
  at: fc.nat(6),
});

it("is the earliest that there is, whatever came and went, asked for or not", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(6)), fc.array(step), fc.boolean(), (before, steps, writesFirst) => {
      const times = [...before];
      const first = () => (times.length === 0 ? undefined : Math.min(...times));
      const soonest = new Soonest(first);
      for (const { do: what, at } of steps) {
        if (what === "ask") expect(soonest.get()).toBe(first());
        else if (what === "forget") soonest.forget();
        else if (what === "add") {
          if (writesFirst) times.push(at);
          soonest.added(at);
          if (!writesFirst) times.push(at);
        } else if (times.includes(at)) {
          if (!writesFirst) soonest.removed(at);
          times.splice(times.indexOf(at), 1);
          if (writesFirst) soonest.removed(at);
        }
      }
      expect(soonest.get()).toBe(first());
    }),
  );
});

it("is looked up once, and again only where what goes may have been the first", () => {
  const times = [3, 5];
  let lookedUp = 0;
  const soonest = new Soonest(() => {
    lookedUp += 1;
    return times.length === 0 ? undefined : Math.min(...times);
  });
  expect([soonest.get(), soonest.get(), lookedUp]).toEqual([3, 3, 1]);
  times.push(2);
  soonest.added(2);
  times.splice(times.indexOf(5), 1);
  soonest.removed(5);
  expect([soonest.get(), lookedUp]).toEqual([2, 1]);
  times.splice(times.indexOf(2), 1);
  soonest.removed(2);
  expect([soonest.get(), soonest.get(), lookedUp]).toEqual([3, 3, 2]);
});

it("that there is none of is known, too", () => {
  let lookedUp = 0;
  const soonest = new Soonest(() => void (lookedUp += 1));
  expect([soonest.get(), soonest.get(), lookedUp]).toEqual([undefined, undefined, 1]);
  soonest.added(4);
  expect([soonest.get(), lookedUp]).toEqual([4, 1]);
});
