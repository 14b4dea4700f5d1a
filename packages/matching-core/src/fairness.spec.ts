import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { before, isLight, lightStrides, placePass, stride, type Place } from "./fairness.ts";

/** A key of the reference: its weight, what waits of it, and where its next task goes. */
interface Key {
  readonly weight: number;
  nextPass: number;
  /** Placed tasks: their passes are fixed. */
  readonly inline: Place[];
  /** Tasks of a heavy key that get their pass as they go, in order. */
  lane: number;
  dispatched: number;
}

/**
 * Stride scheduling of one priority, as the design has it, with nothing else: the rule that a store is held to. A key is
 * heavy past `threshold` strides; 0 puts everything into lanes, Infinity nothing.
 */
class Reference {
  readonly keys: readonly Key[];
  readonly #isLight: (pass: number, virtualTime: number, weight: number) => boolean;
  #virtualTime = 0;
  #places = 0;

  constructor(weights: readonly number[], threshold: number | undefined) {
    this.keys = weights.map((weight) => ({ weight, nextPass: 0, inline: [], lane: 0, dispatched: 0 }));
    this.#isLight =
      threshold === undefined ? isLight : (pass, virtualTime, weight) => (pass - virtualTime) * weight < threshold;
  }

  /** A task of the key becomes ready. */
  add(key: Key): void {
    const pass = placePass(this.#virtualTime, key.nextPass);
    if (key.lane > 0 || !this.#isLight(pass, this.#virtualTime, key.weight)) {
      key.lane += 1;
      return;
    }
    key.inline.push({ pass, place: this.#places++ });
    key.nextPass = pass + stride(key.weight);
  }

  /** Dispatches the next task. */
  dispatch(): Key | undefined {
    let first: { readonly key: Key; readonly place: Place } | undefined;
    for (const key of this.keys) {
      const place = key.inline[0] ?? (key.lane > 0 ? { pass: this.#next(key), place: Infinity } : undefined);
      if (place !== undefined && (first === undefined || before(place, first.place))) first = { key, place };
    }
    if (first === undefined) return undefined;
    const { key, place } = first;
    if (key.inline.shift() === undefined) {
      key.lane -= 1;
      key.nextPass = place.pass + stride(key.weight);
    }
    this.#virtualTime = placePass(this.#virtualTime, place.pass);
    key.dispatched += 1;
    return key;
  }

  #next(key: Key): number {
    return placePass(this.#virtualTime, key.nextPass);
  }
}

const isBacklogged = (key: Key): boolean => key.inline.length > 0 || key.lane > 0;

/**
 * Watches a pair of keys: over any window in which both were backlogged throughout, by how much their shares differ at
 * most, each dispatch counted as its stride.
 */
class Watch {
  most = 0;
  #low = NaN;
  #high = NaN;

  look(a: Key, b: Key): void {
    const ahead = a.dispatched * stride(a.weight) - b.dispatched * stride(b.weight);
    if (!isBacklogged(a) || !isBacklogged(b)) {
      this.#low = this.#high = NaN;
      return;
    }
    this.#low = Math.min(Number.isNaN(this.#low) ? ahead : this.#low, ahead);
    this.#high = Math.max(Number.isNaN(this.#high) ? ahead : this.#high, ahead);
    this.most = Math.max(this.most, this.#high - this.#low);
  }
}

const weights = fc.oneof(
  fc.integer({ min: 1, max: 10 }),
  fc.double({ min: -3, max: 3, noNaN: true }).map((power) => 10 ** power),
);
const step = fc.oneof(
  fc.record({ add: fc.nat(4), tasks: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ dispatch: fc.integer({ min: 1, max: 60 }) }),
);

/** Runs the steps, and answers for each pair of keys how far apart their shares came, in strides of both together. */
function apart(
  ofKeys: readonly number[],
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
  threshold?: number,
): number {
  const reference = new Reference(ofKeys, threshold);
  const { keys } = reference;
  const pairs = keys.flatMap((a, i) => keys.slice(i + 1).map((b) => ({ a, b, watch: new Watch() })));
  const look = () => {
    for (const { a, b, watch } of pairs) watch.look(a, b);
  };
  for (const one of steps) {
    if ("add" in one) {
      const key = keys[one.add % keys.length];
      for (let i = 0; i < one.tasks && key !== undefined; i++) reference.add(key);
      look();
    } else {
      for (let i = 0; i < one.dispatch && reference.dispatch() !== undefined; i++) look();
    }
  }
  return Math.max(0, ...pairs.map(({ a, b, watch }) => watch.most / (stride(a.weight) + stride(b.weight))));
}

describe("where the next task of a key goes", () => {
  // [virtual time, the key's next pass] → pass
  it.each([
    ["a new key begins at the present", 50, 0, 50],
    ["one that is ahead stays there: it has had its share", 50, 80, 80],
    ["one that was away has no credit for it", 50, 30, 50],
    ["nor debt", 50, 50, 50],
  ])("%s", (_name, virtualTime, keyPass, pass) => {
    expect(placePass(virtualTime, keyPass)).toBe(pass);
  });

  it.each([
    [1, 1],
    [2, 0.5],
    [1_000, 0.001],
    [0.001, 1_000],
  ])("a task of weight %d takes it on by %d", (weight, by) => {
    expect(stride(weight)).toBe(by);
  });

  it.each([
    [{ pass: 1, place: 9 }, { pass: 2, place: 1 }, true],
    [{ pass: 2, place: 1 }, { pass: 1, place: 9 }, false],
    [{ pass: 1, place: 1 }, { pass: 1, place: 2 }, true],
    [{ pass: 1, place: 2 }, { pass: 1, place: 1 }, false],
    [{ pass: 1, place: 1 }, { pass: 1, place: 1 }, false],
  ])("%j goes before %j: %s", (a, b, goesBefore) => {
    expect(before(a, b)).toBe(goesBefore);
  });

  it.each([0.001, 1, 1_000])("a key of weight %d is heavy once so many of its tasks are ahead", (weight) => {
    expect(isLight(10 + (lightStrides - 1) * stride(weight), 10, weight)).toBe(true);
    expect(isLight(10 + (lightStrides + 1) * stride(weight), 10, weight)).toBe(false);
  });
});

describe("the shares of keys", () => {
  // [weights, backlogs, dispatches] → dispatches of each
  it.each([
    ["are the same by default", [1, 1], [500, 500], 100, [50, 50]],
    ["go by their weights", [1, 1, 2], [500, 500, 500], 400, [100, 100, 200]],
    ["do not depend on the backlog", [1, 1], [10_000, 150], 200, [100, 100]],
    ["are all, for one that is alone", [0.001], [50], 50, [50]],
    ["leave to the others what one does not use", [3, 1], [30, 500], 100, [30, 70]],
  ])("%s", (_name, ofKeys, backlogs, dispatches, expected) => {
    const reference = new Reference(ofKeys, undefined);
    reference.keys.forEach((key, i) => {
      for (let n = backlogs[i] ?? 0; n > 0; n--) reference.add(key);
    });
    for (let i = 0; i < dispatches; i++) reference.dispatch();
    expect(reference.keys.map((key) => key.dispatched)).toEqual(expected);
  });

  it("differ by at most one stride each, over any window in which both keys are backlogged", () => {
    const property = fc.property(
      fc.array(weights, { minLength: 2, maxLength: 5 }),
      fc.array(step, { maxLength: 40 }),
      (ofKeys, steps) => {
        expect(apart(ofKeys, steps)).toBeLessThanOrEqual(1 + 1e-9);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it("do so wherever a key becomes heavy: that is not to be seen", () => {
    const property = fc.property(
      fc.array(weights, { minLength: 2, maxLength: 5 }),
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(0, 1, 2, 10, Infinity),
      (ofKeys, steps, threshold) => {
        expect(apart(ofKeys, steps, threshold)).toBeLessThanOrEqual(1 + 1e-9);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});
