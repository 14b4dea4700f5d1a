import { encodePayload, decodePayload } from "@tq/client";
import { type DispatchedTask, TaskQueueKind } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { decodeFrames, encodeFrame, firstLine } from "../src/frames.ts";
import { Histories } from "../src/histories.ts";
import type { HistoryRecord } from "../src/history.ts";
import { commandMessages, readArrival } from "../src/wire.ts";
import { FakeTq } from "./fake-tq.ts";
import { endsOf, sampleOrder, shop, workflows } from "./shop.ts";

/** Where the machine dies: as it writes frame number `frame`, with `bytes` of it on disk. */
interface Crash {
  readonly frame: number;
  readonly bytes: number;
}

/** Engine, log, workers and tq, a step at a time, without time or network. */
class World {
  readonly tq = new FakeTq();
  readonly frameLengths: number[] = [];
  readonly runs: string[] = [];
  log = Buffer.from(firstLine);
  #histories = new Histories(workflows);
  #held: DispatchedTask[] = [];
  readonly #crash: Crash | undefined;

  constructor(crash?: Crash) {
    this.#crash = crash;
  }

  run(): void {
    let wasIdle = false;
    while (!wasIdle || this.tq.skipAhead()) {
      const tasks = this.tq.poll(TaskQueueKind.WORKFLOW, "engine", 1);
      for (const task of tasks) this.#decide(task);
      wasIdle = !this.#work() && tasks.length === 0;
    }
  }

  #decide(task: DispatchedTask): void {
    const { record, isNew } = this.#histories.handle(readArrival(task), this.tq.nowMs);
    if (record !== undefined && isNew) {
      const frame = Buffer.from(encodeFrame([record]));
      this.frameLengths.push(frame.length);
      if (this.#crash?.frame === this.frameLengths.length) return this.#die(frame.subarray(0, this.#crash.bytes));
      this.log = Buffer.concat([this.log, frame]);
    }
    const commands = record === undefined ? [] : commandMessages(record, "engine");
    this.tq.answer({ token: task.token, answer: { case: "completed", value: { commands } } });
  }

  #die(written: Uint8Array): void {
    const { records, bytes } = decodeFrames(Buffer.concat([this.log, written]));
    this.log = Buffer.concat([this.log, written]).subarray(0, bytes);
    this.#histories = new Histories(workflows);
    for (const record of records) this.#histories.restore(record as HistoryRecord);
    this.#held = [];
    this.tq.expireLeases();
  }

  #work(): boolean {
    const tasks = [...this.#held, ...this.tq.poll(TaskQueueKind.ACTIVITY, "shop", 10)];
    this.#held = [];
    for (const task of tasks) {
      const done = shop(task.type, task.input.map(decodePayload), task.attempt);
      const { token } = task;
      if (done === undefined && !this.tq.isCancelRequested(task.id)) this.#held.push(task);
      else if (done === undefined) this.tq.answer({ token, answer: { case: "canceled", value: {} } });
      else if ("result" in done) {
        this.runs.push(task.id);
        this.tq.answer({ token, answer: { case: "completed", value: { result: encodePayload(done.result) } } });
      } else {
        const failure = { type: done.failure, message: "not today" };
        this.tq.answer({ token, answer: { case: "failed", value: { failure } } });
      }
    }
    return tasks.length > this.#held.length;
  }
}

function start(world: World, numbers: readonly number[]): void {
  for (const number of numbers) {
    const { id, order, isApproved } = sampleOrder(number);
    const task = { taskQueue: { name: "engine", kind: TaskQueueKind.WORKFLOW }, type: "order", serialKey: id };
    const input = (event: object) => [encodePayload(event)];
    world.tq.add({ ...task, id: `${id}/start`, input: input({ kind: "started", args: [order] }) });
    if (!isApproved) continue;
    world.tq.add({
      ...task,
      id: `${id}/signal/1`,
      input: input({ kind: "signaled", signal: "approved", value: "alice" }),
    });
  }
}

function expectAllDone(world: World, numbers: readonly number[]): void {
  const { records } = decodeFrames(world.log);
  const ends = endsOf(records).toSorted((a, b) => a.workflow.localeCompare(b.workflow));
  expect(ends).toEqual(numbers.map(sampleOrder).map(({ id, receipt }) => ({ workflow: id, result: receipt })));
  expect(world.tq.openIds).toEqual([]);
  // Nobody was charged twice: whatever was asked for again was known by its id.
  expect(new Set(world.runs).size).toBe(world.runs.length);
}

describe("an engine that is killed", () => {
  const numbers = [1, 2];
  const whole = new World();
  start(whole, numbers);
  whole.run();

  it("has done all its work if it never is", () => {
    expectAllDone(whole, numbers);
    expect(whole.frameLengths.length).toBeGreaterThan(12);
  });

  it.each(whole.frameLengths.map((length, index) => ({ frame: index + 1, length })))(
    "ends every workflow once, however much of frame $frame was written",
    ({ frame, length }) => {
      for (const bytes of [0, 1, length >> 1, length - 1, length]) {
        const world = new World({ frame, bytes });
        start(world, numbers);
        world.run();
        expectAllDone(world, numbers);
      }
    },
  );

  it("reads back any log that was cut anywhere, as far as it is whole", () => {
    const all = decodeFrames(whole.log).records;
    for (let bytes = 0; bytes <= whole.log.length; bytes++) {
      const found = decodeFrames(whole.log.subarray(0, bytes));
      expect(found.records).toEqual(all.slice(0, found.records.length));
      const histories = new Histories(workflows);
      for (const record of found.records) histories.restore(record as HistoryRecord);
    }
  });
});
