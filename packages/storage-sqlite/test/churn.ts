/* Writes how many bytes of what has gone outlive collections of the young generation: see churn.spec.ts. */
import { ChurnMap, ChurnSet } from "@tq/matching-core";

interface Something {
  readonly filled: readonly number[];
}

const kind = process.argv[2];
const map =
  kind === "Map" ? new Map<Something, number>() : kind === "ChurnMap" ? new ChurnMap<Something, number>() : undefined;
const set = kind === "Set" ? new Set<Something>() : new ChurnSet<Something>();
const put = (item: Something): unknown => (map === undefined ? set.add(item) : map.set(item, 1));
const remove = (item: Something): boolean => (map ?? set).delete(item);
const something = (): Something => ({ filled: Array.from({ length: 500 }, () => 1.5) });
const young = (): unknown => globalThis.gc?.({ type: "minor" });

let last = something();
put(last);
// Its table becomes old.
for (let n = 0; n < 4; n++) young();
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
for (let n = 1; n <= 5_000; n++) {
  const next = something();
  // Never empty.
  put(next);
  remove(last);
  last = next;
  if (n % 100 === 0) young();
}
young();
young();
console.log(process.memoryUsage().heapUsed - before);
