import { expect, test } from "vitest";
import type { Holdings } from "./holdings.ts";
import { HoldingsReader, SharedHoldings } from "./shared-holdings.ts";

/** A worker's side and a thread's, the latter in this thread too: it looks when the test says so. */
function rig() {
  const heard: string[] = [];
  const to: Holdings = {
    begun: (leases, atMs) => leases.forEach(({ key, type }) => heard.push(`begun ${key} ${type} ${atMs}`)),
    answering: (key) => heard.push(`answering ${key}`),
    over: (key) => heard.push(`over ${key}`),
    polling: (id) => heard.push(`polling ${id}`),
    polled: (id) => heard.push(`polled ${id}`),
    received: (id, atMs) => heard.push(`received ${id} ${atMs}`),
    confirmed: (ids) => heard.push(`confirmed ${ids.join(" ")}`),
  };
  const reader = new HoldingsReader(to);
  const timers = new Set<() => void>();
  let pages = 0;
  let wakes = 0;
  const holdings = new SharedHoldings({
    addPage(memory) {
      pages++;
      reader.addPage(memory);
    },
    wake: () => void wakes++,
    onBegun: () => {},
    soon(callback) {
      timers.add(callback);
      return () => timers.delete(callback);
    },
  });
  return {
    holdings,
    begin: (key: string, atMs = 0) => holdings.begun([{ key, type: "a" }], atMs),
    look: () => {
      reader.look();
      return heard.splice(0);
    },
    /** A moment goes by; answers how often the thread was woken. */
    wait: () => {
      const due = [...timers];
      timers.clear();
      for (const callback of due) callback();
      const before = wakes;
      wakes = 0;
      return before;
    },
    timers,
    pages: () => pages,
  };
}

test("the thread reads what is held just now, and of each change once; of what is over by then it never hears", () => {
  const { holdings, begin, look } = rig();
  begin("a\u00ff\u0000", 5);
  begin("b");
  holdings.over("b");
  holdings.polling("p1");
  holdings.polling("p2");
  holdings.polled("p1");
  holdings.received("p1", 7);
  holdings.received("p0", 6);
  expect(look()).toEqual(["polling p2", "begun a\u00ff\u0000 a 5", "received p0 6", "received p1 7"]);
  expect(look()).toEqual([]);
  holdings.answering("a\u00ff\u0000");
  expect(look()).toEqual(["answering a\u00ff\u0000"]);
  holdings.polled("p2");
  holdings.confirmed(["p0", "never heard of"]);
  holdings.over("a\u00ff\u0000");
  holdings.answering("a\u00ff\u0000");
  expect(look().toSorted()).toEqual(["confirmed p0", "over a\u00ff\u0000", "polled p2"]);
  expect(look()).toEqual([]);
});

test("what took the place of something else is told after the end of that, and one that begins anew begins anew", () => {
  const { holdings, begin, look } = rig();
  begin("a");
  look();
  holdings.answering("a");
  holdings.over("a");
  begin("b", 1);
  expect(look()).toEqual(["over a", "begun b a 1"]);
  holdings.answering("b");
  look();
  begin("b", 2);
  expect(look()).toEqual(["over b", "begun b a 2"]);
});

test("memory grows with what is held at once, however long the texts, and not with what has come and gone", () => {
  const { holdings, begin, look, pages } = rig();
  const many = Array.from({ length: 1_000 }, (_, n) => `lease ${n}`);
  for (const key of many) begin(key);
  const grown = pages();
  const long = { key: "\u00e9".repeat(10_000), type: "\u00e9\u{1f600}".repeat(1_000) };
  for (let n = 0; n < 100; n++) {
    for (const key of many) {
      holdings.over(key);
      begin(key);
    }
    holdings.begun([long], 3);
    if (n < 99) holdings.over(long.key);
  }
  expect(pages()).toBe(grown + 1);
  const heard = look();
  expect(heard.length).toBe(1_001);
  expect(heard).toContain(`begun ${long.key} ${long.type} 3`);
  expect(new Set(heard).size).toBe(1_001);
});

test("the thread is woken only for a lease that is held for a while without an answer, and once", () => {
  const { holdings, begin, wait, timers } = rig();
  for (let n = 0; n < 10; n++) {
    begin(`quick ${n}`);
    begin(`answered ${n}`);
    holdings.over(`quick ${n}`);
    expect(wait()).toBe(0);
    holdings.answering(`answered ${n}`);
  }
  expect(wait()).toBe(0);
  expect(timers.size).toBe(0);
  begin("slow");
  expect([wait(), wait(), wait()]).toEqual([0, 1, 0]);
  expect(timers.size).toBe(0);
  begin("other");
  wait();
  // It knows of this one as it is woken for the other.
  begin("young");
  expect(wait()).toBe(1);
  holdings.over("young");
  holdings.over("slow");
  holdings.over("other");
  begin("last");
  expect([wait(), wait(), wait()]).toEqual([0, 1, 0]);
  begin("after");
  holdings.stop();
  expect(timers.size).toBe(0);
});
