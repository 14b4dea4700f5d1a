import type Database from "better-sqlite3";
import type { Priority } from "@tq/matching-core";
import { steady } from "./steady.ts";

/** How often they are looked for, in the queues whose virtual time has moved. */
const everyMs = 10_000;
/** So few rows are looked at in vain in a millisecond, over time: a queue of a million keys is looked through less often. */
const rowsPerMs = 10;

interface PassRow {
  readonly queue: number;
  readonly priority: Priority;
  readonly key: string;
  readonly pass: number;
}

/** The look that is due next, or under way. */
interface Look {
  /** When it begins, or goes on. */
  readonly at: number;
  /** What is left of it, the next queue last. All, where it is not known which have moved; those that move until it begins. */
  readonly queues: "all" | "moved" | number[];
  /** The row behind which it goes on. */
  readonly after: PassRow | undefined;
  /** Rows that it has looked at so far and that stay. */
  readonly looked: number;
}

const start = { queue: 0, priority: 0, key: "" };

/**
 * Looks for rows of `key_pass` that the virtual time has passed, which say nothing any more: now and then, some at a time, and
 * only in queues in which something was dispatched, so that those that wait, however many, cost nothing.
 */
export class PassedPasses {
  /** Queues whose virtual time has moved since a look at them began. */
  #moved = new Set<number>();
  #look: Look | undefined;
  /** The next look does not begin before: the last one has looked at much. */
  #notBefore = 0;
  readonly #sql;

  constructor(db: Database.Database) {
    this.#sql = {
      of: db.prepare<[number, number, string, number], PassRow>(
        steady(`select queue, priority, key, pass from key_pass where queue = ? and (priority, key) > (?, ?)
         order by priority, key limit ?`),
      ),
      ofAll: db.prepare<[number, number, string, number], PassRow>(
        steady(`select queue, priority, key, pass from key_pass where (queue, priority, key) > (?, ?, ?)
         order by queue, priority, key limit ?`),
      ),
    };
  }

  /** Forgets which queues have moved: all are looked through once. */
  reset(now: number): void {
    if (this.#moved.size > 0) this.#moved = new Set();
    this.#look = { at: now + everyMs, queues: "all", after: undefined, looked: 0 };
    this.#notBefore = 0;
  }

  /** The virtual time of a queue has moved. */
  moved(queueId: number): void {
    this.#moved.add(queueId);
  }

  /** The transaction is at its end. */
  flush(now: number): void {
    if (this.#look !== undefined || this.#moved.size === 0) return;
    const at = Math.max(now + everyMs, this.#notBefore);
    this.#look = { at, queues: "moved", after: undefined, looked: 0 };
  }

  /** When to look next. */
  get next(): number | undefined {
    return this.#look?.at;
  }

  /**
   * If it is time: those of the next `limit` rows that the virtual time has passed.
   *
   * @param virtualTimesOf those of a queue, by priority
   */
  take(now: number, limit: number, virtualTimesOf: (queueId: number) => readonly number[]): readonly PassRow[] {
    const look = this.#look;
    if (look === undefined || look.at > now) return [];
    const queues = look.queues === "moved" ? this.#takeMoved() : look.queues;
    const [rows, isDone] = queues === "all" ? this.#ofAll(look, limit) : this.#ofEach(queues, look, limit);
    const passed = rows.filter(passedBy(virtualTimesOf));
    const looked = look.looked + rows.length - passed.length;
    if (!isDone) {
      this.#look = { at: now, queues, after: rows.at(-1) ?? look.after, looked };
      return passed;
    }
    this.#look = undefined;
    this.#notBefore = now + Math.ceil(looked / rowsPerMs);
    return passed;
  }

  #takeMoved(): number[] {
    const queues = [...this.#moved];
    this.#moved = new Set();
    return queues;
  }

  #ofAll({ after }: Look, limit: number): [rows: PassRow[], isDone: boolean] {
    const { queue, priority, key } = after ?? start;
    const rows = this.#sql.ofAll.all(queue, priority, key, limit);
    return [rows, rows.length < limit];
  }

  /** Takes up to `limit` queues off the list as it gets done with them. */
  #ofEach(queues: number[], { after }: Look, limit: number): [rows: PassRow[], isDone: boolean] {
    const rows: PassRow[] = [];
    const leave = queues.length - limit;
    for (let queue = queues.at(-1); queue !== undefined && queues.length > leave; queue = queues.at(-1)) {
      const { priority, key } = after?.queue === queue ? after : start;
      const left = limit - rows.length;
      if (left === 0) break;
      const page = this.#sql.of.all(queue, priority, key, left);
      for (const row of page) rows.push(row);
      if (page.length === left) break;
      queues.pop();
    }
    return [rows, queues.length === 0];
  }
}

/** Whether the virtual time of its queue has passed a row. The rows of a queue come one behind the other: it is asked for once. */
function passedBy(virtualTimesOf: (queueId: number) => readonly number[]): (row: PassRow) => boolean {
  let of: number | undefined;
  let virtualTimes: readonly number[] = [];
  return ({ queue, priority, pass }) => {
    if (queue !== of) virtualTimes = virtualTimesOf((of = queue));
    return pass <= (virtualTimes[priority] ?? 0);
  };
}
