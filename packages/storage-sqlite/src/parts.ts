import type Database from "better-sqlite3";
import { Ages } from "./ages.ts";
import { DrainedWorkers } from "./drained-workers.ts";
import { Events } from "./events.ts";
import { Fallbacks } from "./fallbacks.ts";
import { KeyLimits } from "./key-limits.ts";
import { KeyPasses } from "./key-passes.ts";
import { Kept } from "./kept.ts";
import { Namespaces } from "./namespaces.ts";
import { Numbers } from "./numbers.ts";
import { Front } from "./order/front.ts";
import { Lanes } from "./order/lanes.ts";
import { Order } from "./order/order.ts";
import { Queues } from "./queues.ts";
import { SerialLines } from "./serial.ts";
import { StartedTasks } from "./started.ts";
import { TaskRows } from "./tasks.ts";
import { Timers } from "./timers.ts";
import type { Writes } from "./journal/writes.ts";
import type { Parts } from "./transaction.ts";
import { Unconfirmed } from "./unconfirmed.ts";

/** Makes the parts over an open file. */
export function openParts(db: Database.Database, writes: Writes, random: () => number): Parts {
  const namespaces = new Namespaces(db, writes);
  const passes = new KeyPasses(db, writes);
  const limits = new KeyLimits(db, writes);
  const lanes = new Lanes(db, writes, limits);
  const kept = new Kept(db, writes);
  const tasks = new TaskRows(db, writes, kept);
  const forgotten = (queueId: number): void => {
    for (const part of [passes, lanes, limits]) part.forget(queueId);
  };
  return {
    namespaces,
    numbers: new Numbers(),
    queues: new Queues(db, writes, namespaces, forgotten),
    ages: new Ages(db, writes),
    order: new Order(new Front(db, writes), lanes, passes, limits, tasks),
    passes,
    limits,
    serial: new SerialLines(db, writes),
    started: new StartedTasks(db, writes),
    unconfirmed: new Unconfirmed(db, writes),
    tasks,
    timers: new Timers(db, writes),
    kept,
    fallbacks: new Fallbacks(db, writes),
    events: new Events(db, writes),
    drainedWorkers: new DrainedWorkers(db, writes),
    random,
  };
}

/** Writes what the journal alone has. */
export function settleParts({ ages, kept, order, passes, queues, started, tasks, unconfirmed }: Parts): void {
  for (const part of [tasks, order, started, unconfirmed, kept, queues, ages, passes]) part.settle();
}
