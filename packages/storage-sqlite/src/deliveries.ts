/*
 * What polls were granted: a row for up to so many tasks of one claim, instead of one for each task. A row stays as it was
 * written while its tasks complete, since what has completed is closed or gone, and so cannot be started; it goes with the
 * last of them. A task that ends in any other way is open again, or may be, so the row is written anew without it, in
 * the same transaction. What is started is then, exactly: the open tasks that stand in a delivery.
 */
import type Database from "better-sqlite3";
import { startedOf, type Delivery, type Started } from "./started-task.ts";
import { LateRows } from "./journal/late-rows.ts";
import type { Writes } from "./journal/writes.ts";
import { readNumberRows, writeNumberRows } from "./number-rows.ts";

/** So many tasks stand in a delivery at most: it is written anew whole. */
const mostTasks = 128;

/** A task as it stands in a delivery. */
export type Delivered = Pick<
  Started,
  "seq" | "leaseNo" | "leaseMs" | "startedAt" | "workerId" | "pollId" | "pass" | "place" | "since"
>;

/** The tasks column: see number-rows.ts. */
const columns: readonly ((task: Delivered) => number)[] = [
  ({ seq }) => seq,
  ({ leaseNo }) => leaseNo,
  ({ pass }) => pass,
  ({ place }) => place,
  ({ since }) => since,
];

/** A row of the table. */
export interface DeliveryRow {
  readonly id: number;
  readonly lease_ms: number;
  readonly started_at: number;
  readonly worker: string;
  readonly poll: string;
  readonly tasks: string;
}

/** The tasks of a row: those that are started, and some that have completed. */
export function readDelivery(row: DeliveryRow): Delivered[] {
  return readNumberRows(row.tasks, columns.length).map(([seq = 0, leaseNo = 0, pass = 0, place = 0, since = 0]) => ({
    seq,
    leaseNo,
    leaseMs: row.lease_ms,
    startedAt: row.started_at,
    workerId: row.worker,
    pollId: row.poll,
    pass,
    place,
    since,
  }));
}

/** Which tasks were granted together. */
export class Deliveries {
  /** The one that tasks of this offer are put into, in the present transaction. */
  #filling = new Map<object, Delivery>();
  /** To be written, or deleted. */
  #changed = new Set<Delivery>();
  readonly #rows;
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#rows = new LateRows<number>(
      writes.prepare("insert or replace into delivery values(?, ?, ?, ?, ?, ?)"),
      writes.prepare("delete from delivery where id = ?"),
    );
    this.#sql = {
      all: db.prepare<[], DeliveryRow>("select * from delivery order by id"),
    };
  }

  /** Forgets what is in memory. */
  reset(): void {
    if (this.#filling.size > 0) this.#filling = new Map();
    if (this.#changed.size > 0) this.#changed = new Set();
    this.#rows.reset();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#rows.settle();
  }

  /** Everything in the file. */
  rows(): DeliveryRow[] {
    return this.#sql.all.all();
  }

  /** A delivery that was read, with those of its tasks that are started. */
  remember(id: number, tasks: Started[]): Delivery {
    const delivery = { id, tasks, left: tasks.length, isWritten: true, dueAt: Infinity };
    for (const task of tasks) task.delivery = delivery;
    return delivery;
  }

  /**
   * @param offer what the task was granted to: those of one offer go together
   * @returns the delivery that it stands in
   */
  add(task: Started, offer: object): Delivery {
    let delivery = this.#filling.get(offer);
    if (delivery === undefined || delivery.tasks.length === mostTasks) {
      delivery = { id: task.leaseNo, tasks: [], left: 0, isWritten: false, dueAt: Infinity };
      this.#filling.set(offer, delivery);
      this.#changed.add(delivery);
    }
    delivery.tasks.push(task);
    delivery.left += 1;
    task.delivery = delivery;
    return delivery;
  }

  /**
   * @param completed it will be closed or gone by the end of the transaction, and never open again under its number
   * @returns the delivery that it stood in
   */
  end(task: Started, completed: boolean): Delivery {
    const { delivery } = task;
    if (delivery === undefined) throw new Error(`task ${task.seq} stands in no delivery`);
    task.delivery = undefined;
    delivery.left -= 1;
    if (delivery.left === 0 || !completed) this.#changed.add(delivery);
    return delivery;
  }

  /** Notes what the transaction changed. */
  flush(): void {
    if (this.#filling.size > 0) this.#filling = new Map();
    for (const delivery of this.#changed) this.#write(delivery);
    if (this.#changed.size > 0) this.#changed = new Set();
  }

  #write(delivery: Delivery): void {
    const { id, isWritten } = delivery;
    if (delivery.left === 0) {
      if (isWritten) this.#rows.remove(id, id);
      return;
    }
    delivery.tasks = startedOf(delivery);
    const [first] = delivery.tasks;
    if (first === undefined) throw new Error(`delivery ${id} has no task`);
    const tasks = writeNumberRows(delivery.tasks, columns);
    const { leaseMs, startedAt, workerId, pollId } = first;
    this.#rows.put(id, [id, leaseMs, startedAt, workerId, pollId, tasks], !isWritten);
    delivery.isWritten = true;
  }
}
