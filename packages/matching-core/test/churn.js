/* Writes how many bytes of what has gone outlive collections of the young generation: see begun-anew.spec.ts. It runs what was built. */
import { Deadlines } from "@tq/matching-core";

const deadlines = new Deadlines();
const map = new Map();
const isMap = process.argv[2] === "map";
const put = (item) => (isMap ? map.set(item, 1) : deadlines.set(item, 1_000));
const drop = (item) => (isMap ? map.delete(item) : deadlines.delete(item));
const something = () => ({ filled: Array.from({ length: 500 }, () => 1.5) });
const young = () => globalThis.gc({ type: "minor" });

const first = something();
put(first);
// Its table becomes old.
for (let n = 0; n < 4; n++) young();
globalThis.gc();
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
