import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { BareQueue, type Taker } from "./bare-queue.ts";

test("tasks are handed out once, in order, to those who have room and have not left", () => {
  const db = new Database(":memory:");
  const queue = new BareQueue(db, 0);
  const got = () =>
    queue.dispatch().map(({ taker, tasks }) => [names.get(taker), ...tasks.map(({ payload }) => String(payload))]);
  const [one, two]: Taker[] = [2, 3].map((room) => ({ room, send: () => {} }));
  if (one === undefined || two === undefined) throw new Error("no takers");
  const names = new Map([
    [one, "one"],
    [two, "two"],
  ]);
  queue.comes(one);
  expect(got()).toEqual([]);
  queue.add(["a", "b", "c"].map((payload) => Buffer.from(payload)));
  expect(got()).toEqual([["one", "a", "b"]]);
  queue.comes(two);
  expect(got()).toEqual([["two", "c"]]);
  queue.complete([1, 2]);
  one.room = 2;
  queue.leaves(one);
  queue.add(["d", "e", "f"].map((payload) => Buffer.from(payload)));
  expect(got()).toEqual([["two", "d", "e"]]);
  expect(db.prepare("select id, started from task_0").all()).toEqual([
    { id: 3, started: 1 },
    { id: 4, started: 1 },
    { id: 5, started: 1 },
    { id: 6, started: 0 },
  ]);
});
