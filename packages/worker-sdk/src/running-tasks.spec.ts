import { create } from "@bufbuild/protobuf";
import { DispatchedTaskSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { HeldTask } from "./held-task.ts";
import { RunningTasks } from "./running-tasks.ts";
import { FixedSlots } from "./slots.ts";

test("what runs is taken out from wherever it stands, once", () => {
  const slots = new FixedSlots(9);
  const [a, b, c] = ["a", "b", "c"].map((id) => new HeldTask(create(DispatchedTaskSchema, { id }), id, slots, 0));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
  const running = new RunningTasks();
  const keys = () => running.all().map(({ key }) => key);
  for (const held of [a, b, c]) running.add(held);
  expect([running.size, keys()]).toEqual([3, ["a", "b", "c"]]);
  // The last one takes its place, and is found there.
  running.delete(a);
  expect(keys()).toEqual(["c", "b"]);
  running.delete(c);
  running.delete(c);
  expect(keys()).toEqual(["b"]);
  const before = running.all();
  running.delete(b);
  expect([running.size, keys(), before]).toEqual([0, [], [b]]);
  running.add(a);
  expect(keys()).toEqual(["a"]);
});
