/* Writes how many bytes of what has gone outlive collections of the young generation: see churn.spec.ts. It runs what was built. */
import { ChurnMap, ChurnSet, Deadlines } from "@tq/matching-core";

interface Something {
  readonly filled: readonly number[];
}

/** How to put something into one, and take it out. */
interface Held {
  readonly put: (item: Something) => unknown;
  readonly drop: (item: Something) => unknown;
}

function ofMap(map: Map<Something, number> | ChurnMap<Something, number>): Held {
  return { put: (item) => map.set(item, 1), drop: (item) => map.delete(item) };
}

function ofSet(set: Set<Something> | ChurnSet<Something>): Held {
  return { put: (item) => set.add(item), drop: (item) => set.delete(item) };
}

function ofDeadlines(deadlines: Deadlines<Something>): Held {
  return { put: (item) => deadlines.set(item, 1_000), drop: (item) => deadlines.delete(item) };
}

const kinds: Readonly<Record<string, () => Held>> = {
  Map: () => ofMap(new Map()),
  ChurnMap: () => ofMap(new ChurnMap()),
  Set: () => ofSet(new Set()),
  ChurnSet: () => ofSet(new ChurnSet()),
  Deadlines: () => ofDeadlines(new Deadlines()),
};

const held = kinds[process.argv[2] ?? ""]?.();
if (held === undefined) throw new Error(`say which: ${Object.keys(kinds).join(", ")}`);
const something = (): Something => ({ filled: Array.from({ length: 500 }, () => 1.5) });
const young = (): unknown => globalThis.gc?.({ type: "minor" });

let last = something();
held.put(last);
// Its table becomes old.
for (let n = 0; n < 4; n++) young();
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
for (let n = 1; n <= 5_000; n++) {
  // It is never empty.
  const next = something();
  held.put(next);
  held.drop(last);
  last = next;
  if (n % 100 === 0) young();
}
young();
young();
console.log(process.memoryUsage().heapUsed - before);
