/* The checker must be able to fail: for each guard of the product, a store without it, which it catches. */
import { describe, expect, it } from "vitest";
import { simulate } from "../src/simulate.ts";
import {
  withoutAtomicOnClose,
  withoutEpochs,
  withoutFencing,
  withoutRequestIds,
  withoutRestartGrace,
  withoutStoredRates,
  withoutReturns,
  withoutFencedReturns,
  withoutStoredConfirmations,
  withoutConfirming,
  withoutFreeReturns,
  withoutReplySizes,
  withoutSlots,
  withoutTypes,
  withoutNamespaces,
  withoutRevisions,
  withoutBulkCursors,
  withoutIdPolicies,
  type BreakStore,
} from "./broken-stores.ts";

/** Within so many seeds each defect is to show. */
const seeds = 40;
const steps = 80;

const guards: readonly { readonly guard: string; readonly breakStore: BreakStore; readonly caughtAs: RegExp }[] = [
  {
    guard: "fencing",
    breakStore: withoutFencing,
    caughtAs: /^fencing: .* was accepted at .* when that lease had ended/,
  },
  { guard: "atomic on-close", breakStore: withoutAtomicOnClose, caughtAs: /^outcomes: .* added 0 times/ },
  { guard: "request ids", breakStore: withoutRequestIds, caughtAs: /^requests: / },
  { guard: "the grace after a restart", breakStore: withoutRestartGrace, caughtAs: /^leases: .* lost / },
  { guard: "stored rates", breakStore: withoutStoredRates, caughtAs: /^rates: / },
  { guard: "returns", breakStore: withoutReturns, caughtAs: /^undelivered: .* reached nobody/ },
  { guard: "the fencing of returns", breakStore: withoutFencedReturns, caughtAs: /^leases: .* lost / },
  {
    guard: "stored confirmations",
    breakStore: withoutStoredConfirmations,
    caughtAs: /^confirmations: .* was to come back unconfirmed/,
  },
  { guard: "confirming", breakStore: withoutConfirming, caughtAs: /^confirmations: .* and was mentioned/ },
  { guard: "free returns", breakStore: withoutFreeReturns, caughtAs: /^confirmations: .* used an attempt/ },
  { guard: "the size of answers", breakStore: withoutReplySizes, caughtAs: /^replySizes: / },
  { guard: "slots, which queues share", breakStore: withoutSlots, caughtAs: /^routing: .* slots and got/ },
  { guard: "types, of two versions at work", breakStore: withoutTypes, caughtAs: /^routing: .* and got .*, a / },
  { guard: "namespaces", breakStore: withoutNamespaces, caughtAs: /^routing: .* of another namespace/ },
  { guard: "revisions", breakStore: withoutRevisions, caughtAs: /^revisions: .* took an update/ },
  { guard: "where bulk calls are", breakStore: withoutBulkCursors, caughtAs: /^bulks: .* had come to/ },
  { guard: "id policies", breakStore: withoutIdPolicies, caughtAs: /^idPolicies: / },
  { guard: "epochs", breakStore: withoutEpochs, caughtAs: /^owners: .* committed with epoch/ },
];

/** The first seed whose run shows the defect. */
async function firstCaught(breakStore: BreakStore, caughtAs: RegExp): Promise<number | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await simulate({ seed, steps, breakStore });
    if (violations.some((violation) => caughtAs.test(violation))) return seed;
  }
  return undefined;
}

describe("a store without a guard is caught", () => {
  it.each(guards)(
    "$guard",
    async ({ breakStore, caughtAs }) => {
      const seed = await firstCaught(breakStore, caughtAs);
      if (seed === undefined) expect.fail(`not within ${seeds} seeds`);
      // It is the defect that was caught: with the real store, that run goes well.
      expect((await simulate({ seed, steps })).violations).toEqual([]);
    },
    300_000,
  );
});
