/* Writes how many bytes of what has gone outlive collections of the young generation: see churn.spec.ts. It runs what was built. */
import { Deadlines } from "@tq/matching-core";

interface Something {
  readonly filled: readonly number[];
}

const deadlines = new Deadlines<Something>();
const map = new Map<Something, number>();
const isMap = process.argv[2] === "map";
const put = (item: Something): void => void (isMap ? map.set(item, 1) : deadlines.set(item, 1_000));
const drop = (item: Something): void => void (isMap ? map.delete(item) : deadlines.delete(item));
const something = (): Something => ({ filled: Array.from({ length: 500 }, () => 1.5) });
const young = (): unknown => globalThis.gc?.({ type: "minor" });

const first = something();
put(first);
// Its table becomes old.
for (let n = 0; n < 4; n++) young();
globalThis.gc?.();
drop(first);
const before = process.memoryUsage().heapUsed;
for (let n = 1; n <= 5_000; n++) {
  const [one, other] = [something(), something()];
  put(one);
  put(other);
  drop(one);
  drop(other);
  if (n % 100 === 0) young();
}
young();
young();
console.log(process.memoryUsage().heapUsed - before);
