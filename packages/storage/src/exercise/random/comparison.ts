import type { TaskRecord } from "../../records.ts";
import { text, type Driver } from "../driver.ts";
import { isDeadTask, type Model, type ModelTask } from "./model.ts";
import { queues } from "./tasks.ts";

/** Every task of these ids is where the model has it, and every queue counts them so. */
export async function compare(driver: Driver, model: Model, ids: readonly string[]): Promise<void> {
  const records = await driver.store.getTasks("default", ids);
  ids.forEach((id, i) => {
    const task = model.tasks.get(id);
    const record = records[i];
    if (task !== undefined && record !== undefined) learn(task, record);
    agree(id, record && asStored(record), task && asModelled(task));
  });
  for (const queue of queues) {
    const of = [...model.tasks.values()].filter(({ spec }) => spec.queue.name === queue.name);
    const { counts } = await driver.describe(queue);
    agree(`counts of ${queue.name}`, counts, {
      scheduled: of.filter(({ state }) => state === "scheduled").length,
      ready: of.filter(({ state }) => state === "ready" || state === "waiting").length,
      started: of.filter(({ state }) => state === "started").length,
      dead: of.filter((task) => isDeadTask(task)).length,
    });
  }
}

/** What only the store can know: how it numbers a task, and what jitter made of a back-off. */
function learn(task: ModelTask, record: TaskRecord): void {
  task.seq = record.seq;
  const { jitter, maximumIntervalMs } = task.spec.retryPolicy;
  const earlyMs = (task.dueAt ?? 0) - (record.dueAt ?? 0);
  if (earlyMs >= 0 && earlyMs <= jitter * maximumIntervalMs) task.dueAt = record.dueAt;
}

function asStored(record: TaskRecord): object {
  return {
    state: record.waitsForSerialKey ? "waiting" : record.state,
    queue: record.queue.name,
    type: record.type,
    input: text(record.input),
    run: record.run,
    attempt: record.attempt,
    dueAt: record.dueAt,
    leaseNo: record.started?.leaseNo,
    leaseUntil: record.started?.leaseUntil,
    cancelRequested: record.started?.cancelRequested,
    keptUntil: record.keptUntil,
    closedBy: record.outcome?.failure?.type,
    fallback: record.fallback?.queueName,
  };
}

function asModelled(task: ModelTask): object {
  return {
    state: task.state,
    queue: task.spec.queue.name,
    type: task.spec.type,
    input: text(task.spec.input),
    run: task.run,
    attempt: task.attempts + (task.lease === undefined ? 0 : 1),
    dueAt: task.dueAt,
    leaseNo: task.lease?.leaseNo,
    leaseUntil: task.lease?.until,
    cancelRequested: task.lease?.cancelRequested,
    keptUntil: task.keptUntil,
    closedBy: task.closedBy,
    fallback: task.spec.fallback?.queueName,
  };
}

/** Like toEqual, but says all of both in its one line. */
export function agree(what: string, seen: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(seen), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what} is ${one}, not ${other}`);
}
