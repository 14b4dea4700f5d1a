/*
 * The design's sketch of front + lanes, on its own: a row for each task, an index of those to dispatch, lanes for keys that
 * are far ahead, started rows, counters and ages; no limits, leases that end, retries, ids that are asked for, or outcomes.
 * It is what the figures of the design's table were measured with. Run beside each row, in the same process and on the same
 * disk, it says what they would have been here just now.
 */
import Database from "better-sqlite3";

/** A key this many strides ahead of the virtual time puts its later tasks into lanes. */
const lightStrides = 192;

/** What is on disk, and how, as a commit ends. */
export const referenceDurability = "each commit ends with an fsync of SQLite's log (WAL, synchronous=FULL)";

/** What is added. */
export interface ReferenceTask {
  readonly id: string;
  readonly key: string;
  readonly type: string;
}

interface Lane {
  readonly type: string;
  pass: number;
  seq: number;
}

interface FrontRow {
  readonly type: string;
  pass: number;
  readonly seq: number;
  readonly key: string;
  readonly marker: number;
  readonly since: number;
}

interface Held {
  readonly seq: number;
  readonly type: string;
}

const tables = `
  create table task(seq integer primary key, queue int, id text, type text, key text, weight real, since int, payload blob);
  create unique index task_id on task(queue, id);
  create table front(type text, pass real, seq int, key text, marker int, since int, primary key(type, pass, seq)) without rowid;
  create table lane_row(key text, type text, seq int, since int, primary key(key, type, seq)) without rowid;
  create table lane(key text, type text, pass real, seq int, primary key(key, type)) without rowid;
  create table key_pass(key text primary key, pass real) without rowid;
  create table started(seq integer primary key, key text, worker text, poll text, lease int);
  create table count(type text primary key, ready int, started int) without rowid;
  create table age(bucket integer primary key, n int);
  create table queue(id integer primary key, virtual_time real); insert into queue values(1, 0);
`;

/** One queue with one priority. Every method is a part of a transaction, which {@link Reference.commit} makes whole. */
export class Reference {
  readonly #db: Database.Database;
  readonly #payload = Buffer.alloc(256, 7);
  readonly #sql;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #passes = new Map<string, number>();
  readonly #dirtyPasses = new Set<string>();
  readonly #counts = new Map<string, { ready: number; started: number }>();
  readonly #dirtyCounts = new Set<string>();
  readonly #ages = new Map<number, number>();
  #virtualTime = 0;
  #seq = 0;
  #lease = 0;
  #now = 1_700_000_000_000;

  constructor(path: string) {
    const db = (this.#db = new Database(path));
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("cache_size = -65536");
    db.exec(tables);
    this.#sql = {
      begin: db.prepare("begin immediate"),
      commit: db.prepare("commit"),
      addTask: db.prepare("insert into task values(?, 1, ?, ?, ?, 1, ?, ?)"),
      readTask: db.prepare<[number], { id: string; payload: Buffer }>("select id, payload from task where seq = ?"),
      deleteTask: db.prepare("delete from task where seq = ?"),
      addFront: db.prepare("insert into front values(?, ?, ?, ?, ?, ?)"),
      deleteFront: db.prepare("delete from front where type = ? and pass = ? and seq = ?"),
      front: db.prepare<[string, number], FrontRow>(
        "select type, pass, seq, key, marker, since from front where type = ? order by pass, seq limit ?",
      ),
      addLaneRow: db.prepare("insert into lane_row values(?, ?, ?, ?)"),
      deleteLaneRow: db.prepare("delete from lane_row where key = ? and type = ? and seq = ?"),
      laneRows: db.prepare<[string, string, number, number], { seq: number; since: number }>(
        "select seq, since from lane_row where key = ? and type = ? and seq > ? order by seq limit ?",
      ),
      setLane: db.prepare("insert or replace into lane values(?, ?, ?, ?)"),
      deleteLane: db.prepare("delete from lane where key = ? and type = ?"),
      setPass: db.prepare("insert into key_pass values(?, ?) on conflict do update set pass = excluded.pass"),
      addStarted: db.prepare("insert into started values(?, ?, 'w', 'p', ?)"),
      deleteStarted: db.prepare("delete from started where seq = ?"),
      setCount: db.prepare("insert or replace into count values(?, ?, ?)"),
      addAge: db.prepare("insert into age values(?, ?) on conflict do update set n = n + excluded.n"),
      dropAge: db.prepare("delete from age where bucket = ? and n = 0"),
      setQueue: db.prepare("update queue set virtual_time = ?"),
    };
  }

  close(): void {
    this.#db.close();
  }

  /** Does something in one transaction, so many ms after the last one. */
  commit<Result>(afterMs: number, run: () => Result): Result {
    this.#now += afterMs;
    this.#sql.begin.run();
    const result = run();
    for (const key of this.#dirtyPasses) this.#sql.setPass.run(key, this.#passOf(key));
    this.#dirtyPasses.clear();
    for (const type of this.#dirtyCounts) {
      const { ready, started } = this.#countOf(type);
      this.#sql.setCount.run(type, ready, started);
    }
    this.#dirtyCounts.clear();
    for (const [bucket, n] of this.#ages) {
      this.#sql.addAge.run(bucket, n);
      if (n < 0) this.#sql.dropAge.run(bucket);
    }
    this.#ages.clear();
    this.#sql.setQueue.run(this.#virtualTime);
    this.#sql.commit.run();
    return result;
  }

  add({ id, key, type }: ReferenceTask): void {
    const seq = ++this.#seq;
    this.#sql.addTask.run(seq, id, type, key, this.#now, this.#payload);
    this.#count(type, 1, 0, this.#now);
    const lanes = this.#lanes.get(key) ?? [];
    const pass = Math.max(this.#virtualTime, this.#passOf(key));
    if (lanes.length === 0 && pass - this.#virtualTime <= lightStrides) {
      this.#sql.addFront.run(type, pass, seq, key, 0, this.#now);
      this.#setPass(key, pass + 1);
      return;
    }
    this.#sql.addLaneRow.run(key, type, seq, this.#now);
    if (lanes.some((lane) => lane.type === type)) return;
    lanes.push({ type, pass, seq });
    this.#lanes.set(key, lanes);
    this.#sql.setLane.run(key, type, pass, seq);
    this.#sql.addFront.run(type, pass, seq, key, 1, this.#now);
  }

  complete(held: readonly Held[]): void {
    for (const { seq, type } of held) {
      this.#sql.deleteTask.run(seq);
      this.#sql.deleteStarted.run(seq);
      this.#count(type, 0, -1, undefined);
    }
  }

  claim(wanted: number, types: readonly string[]): Held[] {
    const held: Held[] = [];
    while (held.length < wanted) {
      const present = types.filter((type) => this.#countOf(type).ready > 0);
      const before = held.length;
      if (present.length > 0) this.#claimSome(held, wanted, present);
      if (held.length === before) break;
    }
    return held;
  }

  /** One reading of the front: up to where the first type's rows were read. */
  #claimSome(held: Held[], wanted: number, types: readonly string[]): void {
    const share = types.length > 1 ? 1.5 / types.length : 1;
    const limit = Math.max(16, Math.ceil((wanted - held.length) * share));
    let horizon = Infinity;
    const rows: FrontRow[] = [];
    for (const type of types) {
      const read = this.#sql.front.all(type, limit);
      if (read.length === limit) horizon = Math.min(horizon, read.at(-1)?.pass ?? Infinity);
      rows.push(...read);
    }
    // A sorted array, with markers put in again where they move to.
    rows.sort(order);
    const perLane = Math.max(
      1,
      Math.ceil((wanted - held.length) / Math.max(1, rows.filter((row) => row.marker).length)),
    );
    for (let next = 0; next < rows.length && held.length < wanted; next++) {
      const row = rows[next];
      if (row === undefined || row.pass > horizon) return;
      if (row.marker) this.#claimOfKey(held, row.key, new Set(types), Math.min(perLane, wanted - held.length));
      else {
        this.#sql.deleteFront.run(row.type, row.pass, row.seq);
        this.#take(held, row.seq, row.type, row.key, row.since);
      }
      this.#virtualTime = Math.max(this.#virtualTime, row.pass);
    }
  }

  /** A key's next tasks over its lanes of these types; then their markers are written, once. */
  #claimOfKey(held: Held[], key: string, types: ReadonlySet<string>, wanted: number): void {
    const lanes = (this.#lanes.get(key) ?? []).filter(({ type }) => types.has(type));
    const buffers = lanes.map((lane) => ({
      lane,
      rows: this.#sql.laneRows.all(key, lane.type, 0, wanted + 1),
      next: 0,
    }));
    let taken = 0;
    for (; taken < wanted; taken++) {
      const heads = buffers.filter(({ rows, next }) => next < rows.length);
      const [first] = heads.sort((a, b) => (a.rows[a.next]?.seq ?? 0) - (b.rows[b.next]?.seq ?? 0));
      const row = first?.rows[first.next];
      if (first === undefined || row === undefined) break;
      first.next += 1;
      this.#sql.deleteLaneRow.run(key, first.lane.type, row.seq);
      this.#take(held, row.seq, first.lane.type, key, row.since);
    }
    for (const { lane, rows, next } of buffers) {
      this.#sql.deleteFront.run(lane.type, lane.pass, lane.seq);
      const head = rows[next];
      if (head === undefined) {
        this.#sql.deleteLane.run(key, lane.type);
        const left = (this.#lanes.get(key) ?? []).filter((one) => one !== lane);
        if (left.length > 0) this.#lanes.set(key, left);
        else this.#lanes.delete(key);
        continue;
      }
      lane.pass += taken;
      lane.seq = head.seq;
      this.#sql.setLane.run(key, lane.type, lane.pass, lane.seq);
      this.#sql.addFront.run(lane.type, lane.pass, lane.seq, key, 1, head.since);
    }
    this.#setPass(key, Math.max(this.#passOf(key), this.#virtualTime) + taken);
  }

  #take(held: Held[], seq: number, type: string, key: string, since: number): void {
    if (this.#sql.readTask.get(seq) === undefined) throw new Error(`task ${seq} is gone`);
    this.#sql.addStarted.run(seq, key, ++this.#lease);
    this.#count(type, -1, 1, since);
    held.push({ seq, type });
  }

  #passOf(key: string): number {
    return this.#passes.get(key) ?? 0;
  }

  #setPass(key: string, pass: number): void {
    this.#passes.set(key, pass);
    this.#dirtyPasses.add(key);
  }

  #countOf(type: string): { ready: number; started: number } {
    let count = this.#counts.get(type);
    if (count === undefined) this.#counts.set(type, (count = { ready: 0, started: 0 }));
    return count;
  }

  /** @param since when the tasks became ready that are or are no longer; undefined: none is concerned */
  #count(type: string, ready: number, started: number, since: number | undefined): void {
    const count = this.#countOf(type);
    count.ready += ready;
    count.started += started;
    this.#dirtyCounts.add(type);
    if (since === undefined) return;
    const bucket = Math.floor(since / 100);
    this.#ages.set(bucket, (this.#ages.get(bucket) ?? 0) + ready);
  }
}

function order(a: FrontRow, b: FrontRow): number {
  return a.pass - b.pass || a.seq - b.seq;
}

/** Which tasks, and how they are added and drained. */
export interface ReferenceShape {
  readonly count: number;
  readonly batch: number;
  /** How many are drained, about. */
  readonly drained: number;
  readonly key: (i: number) => string;
  readonly type: (i: number) => string;
  /** What the worker takes. */
  readonly types: readonly string[];
}

/** Tasks a second, and CPU time a task. */
export interface Speed {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

/** Measures it in a file of its own. */
export function measureReference(path: string, shape: ReferenceShape): { readonly add: Speed; readonly drain: Speed } {
  const { count, batch, drained, key, type, types } = shape;
  const reference = new Reference(path);
  const add = speed(() => {
    for (let from = 0; from < count; from += batch) {
      reference.commit(1, () => {
        for (let i = from; i < Math.min(from + batch, count); i++) {
          reference.add({ id: `0198f1a2-${String(i).padStart(12, "0")}`, key: key(i), type: type(i) });
        }
      });
    }
    return count;
  });
  const drain = speed(() => {
    let held: Held[] = [];
    let done = 0;
    do {
      held = reference.commit(5, () => {
        reference.complete(held);
        return reference.claim(batch, types);
      });
      done += held.length;
    } while (held.length > 0 && done < drained);
    reference.commit(5, () => reference.complete(held));
    return done;
  });
  reference.close();
  return { add, drain };
}

function speed(run: () => number): Speed {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const tasks = run();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - begin) / 1_000;
  return {
    perSecond: Math.round(tasks / seconds),
    cpuMicroseconds: Math.round((10 * (user + system)) / tasks) / 10,
  };
}
