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
import type { Parts } from "./transaction.ts";
import { Unconfirmed } from "./unconfirmed.ts";

/** Makes the parts over an open file. */
export function openParts(db: Database.Database, random: () => number): Parts {
  const namespaces = new Namespaces(db);
  const passes = new KeyPasses(db);
  const limits = new KeyLimits(db);
  const lanes = new Lanes(db, limits);
  const kept = new Kept(db);
  const tasks = new TaskRows(db, kept);
  const forgotten = (queueId: number): void => {
    for (const part of [passes, lanes, limits]) part.forget(queueId);
  };
  return {
    namespaces,
    numbers: new Numbers(),
    queues: new Queues(db, namespaces, forgotten),
    ages: new Ages(db),
    order: new Order(new Front(db), lanes, passes, limits, tasks),
    passes,
    limits,
    serial: new SerialLines(db),
    started: new StartedTasks(db),
    unconfirmed: new Unconfirmed(db),
    tasks,
    timers: new Timers(db),
    kept,
    fallbacks: new Fallbacks(db),
    events: new Events(db),
    drainedWorkers: new DrainedWorkers(db),
    random,
  };
}
