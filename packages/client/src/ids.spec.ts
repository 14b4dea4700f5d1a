import { expect, test } from "vitest";
import { ManualClock } from "../test/manual-clock.ts";
import { systemClock } from "./clock.ts";
import { createIdSource } from "./ids.ts";

test("ids are UUIDs of version 7, with the time in front", () => {
  const clock = new ManualClock();
  const id = createIdSource(clock)();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(clock.now());
});

test("ids of one source are unique and sort in the order they were made, also within a millisecond", () => {
  const newId = createIdSource(new ManualClock());
  const ids = Array.from({ length: 20_000 }, newId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.toSorted()).toEqual(ids);
});

test("a clock that goes back does not make ids go back", async () => {
  let nowMs = 5_000;
  const newId = createIdSource({ ...systemClock, now: () => nowMs });
  const first = newId();
  nowMs = 4_000;
  expect(newId() > first).toBe(true);
});

test("randomness is drawn from what is given", () => {
  const newId = createIdSource(new ManualClock(), (bytes) => bytes.fill(0xff));
  expect(newId()).toMatch(/^.{14}77ff-bfff-ffffffffffff$/);
});
