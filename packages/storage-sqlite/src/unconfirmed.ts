import type { LeaseRef } from "@tq/matching-core";
import type { UnconfirmedDelivery } from "@tq/storage";
import type Database from "better-sqlite3";
import type { Namespaces } from "./namespaces.ts";
import type { StartedTasks } from "./started.ts";
import { LateRows } from "./journal/late-rows.ts";
import type { Writes } from "./journal/writes.ts";
import { readNumberRows, writeNumberRows } from "./number-rows.ts";

/**
 * Deliveries that their workers have not mentioned yet, where their polls asked for it: a row for each poll's answer, so
 * that a task costs nothing. Who watches them has them in memory; here is what a server finds that starts.
 */
export class Unconfirmed {
  readonly #rows;
  readonly #sql;

  constructor(db: Database.Database, writes: Writes) {
    this.#rows = new LateRows<number>(
      writes.prepare("insert or replace into unconfirmed values(?, ?, ?)"),
      writes.prepare("delete from unconfirmed where delivery = ?"),
    );
    this.#sql = {
      left: writes.prepare("update unconfirmed set leases = ? where delivery = ?"),
      all: db.prepare<[], { delivery: number; confirm_ms: number; leases: string }>(
        "select delivery, confirm_ms, leases from unconfirmed order by delivery",
      ),
    };
  }

  /** Forgets what is in memory: the transaction failed. */
  reset(): void {
    this.#rows.reset();
  }

  /** Writes what the journal alone has. */
  settle(): void {
    this.#rows.settle();
  }

  /** These were given away together, to be confirmed within so many ms. The first one's lease number names them. */
  add(leases: readonly LeaseRef[], confirmMs: number): void {
    const [first] = leases;
    if (first !== undefined) this.#rows.put(first.leaseNo, [first.leaseNo, confirmMs, write(leases)]);
  }

  /** Of a delivery these are left to be confirmed. */
  setLeft(delivery: number, leases: readonly LeaseRef[]): void {
    const late = this.#rows.get(delivery);
    if (leases.length === 0) {
      if (late !== null) this.#rows.remove(delivery, delivery);
    } else if (late === undefined) {
      this.#sql.left.run(write(leases), delivery);
    } else if (late !== null) {
      this.#rows.put(delivery, [delivery, late[1] ?? 0, write(leases)]);
    }
  }

  /** What is still leased of what nobody has confirmed. Forgets what is not. */
  load(started: StartedTasks, namespaces: Namespaces): UnconfirmedDelivery[] {
    const found: UnconfirmedDelivery[] = [];
    for (const { delivery, confirm_ms: confirmMs, leases } of this.#sql.all.all()) {
      const left = read(leases).filter((lease) => started.current(lease) !== undefined);
      const task = left[0] && started.current(left[0]);
      if (task === undefined) {
        this.#rows.remove(delivery, delivery);
        continue;
      }
      const { namespaceId, workerId, pollId } = task;
      found.push({ delivery, namespace: namespaces.nameOf(namespaceId), workerId, pollId, confirmMs, leases: left });
    }
    return found;
  }
}

/** The leases column: see number-rows.ts. */
const columns: readonly ((lease: LeaseRef) => number)[] = [({ seq }) => seq, ({ leaseNo }) => leaseNo];

function write(leases: readonly LeaseRef[]): string {
  return writeNumberRows(leases, columns);
}

function read(text: string): LeaseRef[] {
  return readNumberRows(text, columns.length).map(([seq = 0, leaseNo = 0]) => ({ seq, leaseNo }));
}
