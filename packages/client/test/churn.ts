/* Writes how many bytes of what has gone from a map outlive collections of the young generation: see churn-map.spec.ts. */
import { ChurnMap } from "../src/churn-map.ts";

interface Something {
  readonly filled: readonly number[];
}

const map = process.argv[2] === "map" ? new Map<string, Something>() : new ChurnMap<Something>();
const something = (): Something => ({ filled: Array.from({ length: 500 }, () => 1.5) });
const young = (): unknown => globalThis.gc?.({ type: "minor" });
map.set("k0", something());
// Its table becomes old.
for (let n = 0; n < 4; n++) young();
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
for (let n = 1; n <= 5_000; n++) {
  map.set(`k${n}`, something());
  map.delete(`k${n - 1}`);
  if (n % 100 === 0) young();
}
young();
young();
console.log(process.memoryUsage().heapUsed - before);
