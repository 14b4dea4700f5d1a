import { expect, test } from "vitest";
import type { Readings } from "./columns.ts";
import { timesBetter, verdicts } from "./musts.ts";
import type { MeasuredContender } from "./rounds.ts";
import { spreadsOf } from "./statistics.ts";

function contender(name: string, isDurable: boolean, readings: Readings): MeasuredContender {
  return { name, durability: "", isDurable, spreads: spreadsOf([readings]), failures: [] };
}

const bullmq = "BullMQ (fsync always)";
const nats = "NATS JetStream";

function texts(...contenders: MeasuredContender[]): string[] {
  return verdicts(contenders).map(({ isReached, text }) => `${isReached} ${text}`);
}

test("a must is reached or short of the best that it names, and says by how much", () => {
  const ours = contender("tq", true, { bulkAdd: 120_000, drain: 60_000 });
  const durable = contender(bullmq, true, { bulkAdd: 40_000, drain: 40_000 });
  const lossy = contender(nats, false, { bulkAdd: 100_000, drain: 100_000 });
  expect(texts(ours, durable, lossy)).toEqual(
    expect.arrayContaining([
      "false must  bulk add: 1.5 × the best peer: SHORT by 20 % (120,000 to 100,000 tasks/s of NATS JetStream, 1.20 ×)",
      "true must  drain: 1.5 × the best durable peer: reached (60,000 to 40,000 tasks/s of BullMQ (fsync always), 1.50 ×)",
      "false goal  drain: better than NATS JetStream: SHORT by 40 % (60,000 to 100,000 tasks/s of NATS JetStream, 0.60 ×)",
    ]),
  );
});

test("of latencies the smaller is the better, and equal is not better", () => {
  const durable = contender(bullmq, true, { idleMedianMs: 0.5, idleP99Ms: 1 });
  const lines = texts(contender("tq", true, { idleMedianMs: 0.4, idleP99Ms: 1 }), durable);
  expect(lines.find((line) => line.includes("must  latency, median"))).toMatch(/^true .*1\.25 ×/);
  expect(lines.find((line) => line.includes("must  latency, p99"))).toMatch(/^false .*SHORT by less than 1 %/);
});

test("tq in its other settings is nobody to compare with; what was not measured is said to be so", () => {
  const lines = texts(contender("tq", true, { bulkAdd: 1 }), contender("tq (defaults)", true, { bulkAdd: 9 }));
  expect(lines).toContain("undefined must  bulk add: 1.5 × the best peer: not measured");
});

test("how many times better follows the column", () => {
  expect([timesBetter("drain", 4, 2), timesBetter("serverCpuMs", 4, 2)]).toEqual([2, 0.5]);
});
