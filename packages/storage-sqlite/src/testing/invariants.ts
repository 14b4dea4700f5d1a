import { priorities, type Priority, type TaskQueueKind } from "@tq/matching-core";
import type { Store } from "@tq/storage";
import Database from "better-sqlite3";
import { readOptions } from "../columns.ts";
import { settle } from "./settle.ts";
import { Expansion } from "./expansion.ts";

/**
 * Queries that find nothing in a file whose tables agree with each other, by what they would find. `task` has the tasks in
 * chunks, too, `lane_row` has each of a run, and `started` is what follows from the deliveries: see expansion.ts.
 */
const contradictions: Readonly<Record<string, string>> = {
  "ids that differ from the tasks": `
    select * from (select namespace, id, seq from task except select namespace, id, seq from task_id)
    union all select * from (select namespace, id, seq from task_id except select namespace, id, seq from task)`,

  "chunks that overlap": `
    select a.seq, b.seq from chunk a join chunk b on a.seq < b.seq and a.last >= b.seq`,

  "chunks without a body, or the reverse": `
    select seq from chunk where seq not in (select seq from chunk_body)
    union all select seq from chunk_body where seq not in (select seq from chunk)`,

  "chunks whose tasks are others than they say": `
    select chunk, seq from chunked group by chunk
      having min(seq) <> chunk or max(seq) <> max(last) or count(distinct seq) <> count(*)`,

  "chunks whose ids are not between those they say, or not in order": `
    select c.seq from chunk c where first_id is not null and (
      first_id <> (select id from chunked where chunk = c.seq order by seq limit 1)
      or last_id <> (select id from chunked where chunk = c.seq order by seq desc limit 1)
      or exists(select 1 from chunked a join chunked b on b.chunk = a.chunk and b.seq > a.seq and b.id <= a.id where a.chunk = c.seq))`,

  "chunks with ids between those of another": `
    select a.seq, b.seq from chunk a join chunk b on a.namespace = b.namespace and a.seq <> b.seq
    where a.first_id <= b.first_id and a.last_id >= b.first_id`,

  "chunks of which nothing is left": `
    select seq from chunk where seq not in (select chunk from chunked c join task t on t.seq = c.seq)`,

  "closings of which nothing is left": `
    select id from closing c where not exists(select 1 from chunked d join task t on t.seq = d.seq
      where d.chunk = c.chunk and t.state is not null and t.kept_until = c.kept_until)`,

  "deliveries of which nothing is started": `
    select id from delivery where id not in (select delivery from started)`,

  "notes of attempts that are not under way": `
    select seq from attempt_note where seq not in (select seq from started)`,

  "counters that differ from the tasks": `
    with actual as (
      select t.queue, t.priority, t.type,
        sum(t.state is null and t.due_at is not null) as scheduled,
        sum(t.state is null and t.due_at is null and s.seq is null and t.pass is not null) as ready,
        sum(t.state is null and t.due_at is null and s.seq is null and t.pass is null) as waiting,
        sum(s.seq is not null) as started,
        coalesce(sum(t.state in ('failed', 'timed-out')), 0) as dead
      from task t left join started s on s.seq = t.seq
      group by t.queue, t.priority, t.type
    ), counted as (select * from actual where scheduled + ready + waiting + started + dead > 0)
    select 'actual', * from (select * from counted except select queue, priority, type, scheduled, ready, waiting, started, dead from count)
    union all
    select 'counted', * from (select queue, priority, type, scheduled, ready, waiting, started, dead from count except select * from counted)`,

  "closed counters that differ from the tasks": `
    select q.id, q.closed, count(t.seq) as n from queue q left join task t on t.queue = q.id and t.state is not null
    group by q.id having q.closed <> n`,

  "ages that differ from the ready tasks": `
    with ready as (
      select queue, since from front where marker = 0
      union all select queue, since from lane_row
      union all select s.queue, s.since from serial s join task t on t.seq = s.seq
        left join started st on st.seq = s.seq where t.pass is null and t.due_at is null and st.seq is null
    ), buckets as (select queue, since / 100 as bucket, count(*) as n from ready group by queue, bucket)
    select * from (select * from buckets except select queue, bucket, n from age)
    union all select * from (select queue, bucket, n from age except select * from buckets)`,

  "ready tasks that do not stand in exactly one place": `
    select t.seq, t.id,
      (select count(*) from front f where f.queue = t.queue and f.seq = t.seq and f.marker = 0) as fronts,
      (select count(*) from lane_row l where l.queue = t.queue and l.seq = t.seq) as lanes,
      (select count(*) from serial s where s.queue = t.queue and s.seq = t.seq) as lines
    from task t left join started st on st.seq = t.seq
    where t.state is null and t.due_at is null and st.seq is null
      and not ((t.pass is not null and fronts + lanes = 1) or (t.pass is null and fronts + lanes = 0 and lines = 1))`,

  "rows of the front that are no ready task's, or not at its place": `
    select f.* from front f left join task t on t.seq = f.seq left join started s on s.seq = f.seq
    where f.marker = 0 and (t.seq is null or s.seq is not null or t.state is not null or t.due_at is not null
      or t.queue <> f.queue or t.priority <> f.priority or t.type <> f.type or t.key <> f.key
      or t.pass is not f.pass or t.place is not f.place)`,

  "rows of lanes that are no ready task's, or not at its place": `
    select l.* from lane_row l left join task t on t.seq = l.seq left join started s on s.seq = l.seq
    where t.seq is null or s.seq is not null or t.state is not null or t.due_at is not null or t.queue <> l.queue
      or t.priority <> l.priority or t.type <> l.type or t.key <> l.key or t.place is not l.place`,

  "runs of lanes that overlap, or do not end where they say": `
    select * from (
      select *, lag(last) over line as before, max(place) over run as reached from lane_row
      window line as (partition by queue, key, priority, type order by place),
        run as (partition by queue, key, priority, type, last))
    where reached <> last or (before is not null and before > last)`,

  "lanes without rows": `
    select * from lane l where not exists(
      select 1 from lane_row r where r.queue = l.queue and r.key = l.key and r.priority = l.priority and r.type = l.type)`,

  "lanes that do not know how many tasks stand in them": `
    select l.*, (select count(*) from lane_row r
      where r.queue = l.queue and r.key = l.key and r.priority = l.priority and r.type = l.type) as n
    from lane l where l.tasks <> n`,

  "queues that do not know whether everything is delayed": `
    select q.id, q.delayed_since from queue q where (q.delayed_since is not null) <> (
      exists(select 1 from count c where c.queue = q.id and c.scheduled > 0)
      and not exists(select 1 from count c where c.queue = q.id and c.ready + c.waiting > 0))`,

  "rows of lanes without a lane": `
    select * from lane_row r where not exists(
      select 1 from lane l where r.queue = l.queue and r.key = l.key and r.priority = l.priority and r.type = l.type)`,

  "lanes without their marker, or markers at another place than the lane's head": `
    select l.*, (select min(place) from lane_row r
        where r.queue = l.queue and r.key = l.key and r.priority = l.priority and r.type = l.type) as head
    from lane l left join front f on f.marker = 1 and f.queue = l.queue and f.key = l.key and f.priority = l.priority
      and f.type = l.type and f.pass = l.marker_pass and f.place = l.marker_place
    where l.blocked = 0 and (f.key is null or l.marker_place <> head)`,

  "markers without a lane": `
    select * from front f where marker = 1 and not exists(
      select 1 from lane l where f.queue = l.queue and f.key = l.key and f.priority = l.priority and f.type = l.type
        and f.pass = l.marker_pass and f.place = l.marker_place and l.blocked = 0)`,

  "tasks before their key's pass that come after its marker": `
    select f.* from front f join lane l on l.queue = f.queue and l.key = f.key and l.priority = f.priority and l.type = f.type
    where f.marker = 0 and (f.pass, f.place) >= (l.marker_pass, l.marker_place) and f.place < l.marker_place and l.blocked = 0`,

  "started rows without an open task": `
    select s.* from started s left join task t on t.seq = s.seq where t.seq is null or t.state is not null or t.due_at is not null`,

  "scheduled tasks without a timer, or timers without a scheduled task": `
    select seq from task t where state is null and due_at is not null
      and not exists(select 1 from timer where at = t.due_at and kind = 'ready' and seq = t.seq)
    union all select i.seq from timer i left join task t on t.seq = i.seq
      where i.kind = 'ready' and (t.due_at is not i.at or t.state is not null)`,

  "paused queues without the timer that ends it, or such timers without a paused queue": `
    select id from queue q where pause ->> '$.until' is not null
      and not exists(select 1 from timer where kind = 'resume' and at = q.pause ->> '$.until' and seq = q.id)
    union all select seq from timer i where kind = 'resume'
      and not exists(select 1 from queue where id = i.seq and pause ->> '$.until' = i.at)`,

  "blocked lanes of keys that are not held back, or the reverse": `
    select 'lane', l.queue, l.key, l.blocked from lane l left join key_limit k on k.queue = l.queue and k.key = l.key
      where l.blocked <> (k.held_back is not null)`,

  "markers of keys that are held back": `
    select f.* from front f join key_limit k on k.queue = f.queue and k.key = f.key
      where f.marker = 1 and k.held_back is not null`,

  "keys held back by their rate that nothing wakes": `
    select * from key_limit where held_back = 'rate' and wake_at is null`,

  "closed tasks without a time to go, or the reverse": `
    select seq from task t where state is not null and not exists(select 1 from kept where until = t.kept_until and seq = t.seq)
    union all select k.seq from kept k left join task t on t.seq = k.seq where t.kept_until is not k.until or t.state is null`,

  "closed tasks that still stand somewhere": `
    select seq from task where state is not null and (pass is not null or place is not null or due_at is not null or serial_place is not null)`,

  "serial keys with more than one task at work": `
    select t.queue, t.serial_key, count(*) from task t left join started s on s.seq = t.seq
    where t.state is null and t.serial_place is not null
      and (s.seq is not null or t.pass is not null or t.due_at is not null)
    group by t.queue, t.serial_key having count(*) > 1`,

  "lines whose first is not at work": `
    select s.* from serial s join task t on t.seq = s.seq left join started st on st.seq = s.seq
    where s.place = (select min(place) from serial where queue = s.queue and key = s.key)
      and st.seq is null and t.pass is null and t.due_at is null`,

  "lines that differ from what their tasks say": `
    select seq, queue, key, place from serial
      except select seq, queue, serial_key, serial_place from task where serial_place is not null
    union all select seq, queue, serial_key, serial_place from task where serial_place is not null
      except select seq, queue, key, place from serial`,

  "rows of queues that are gone": `
    select 'task', queue from task where queue not in (select id from queue)
    union all select 'count', queue from count where queue not in (select id from queue)
    union all select 'age', queue from age where queue not in (select id from queue)
    union all select 'key_pass', queue from key_pass where queue not in (select id from queue)
    union all select 'lane', queue from lane where queue not in (select id from queue)
    union all select 'fallback', queue from fallback where queue not in (select id from queue)`,

  "rows with tasks gone, that should have gone with the last of them": `
    select 'count' from count where not exists(select 1 from task)
    union all select 'age' from age where not exists(select 1 from task)
    union all select 'lane' from lane where not exists(select 1 from task)
    union all select 'front' from front where not exists(select 1 from task)
    union all select 'serial' from serial where not exists(select 1 from task)
    union all select 'fallback' from fallback where not exists(select 1 from task)
    union all select 'timer' from timer where kind <> 'resume' and not exists(select 1 from task)
    union all select 'delivery' from delivery where not exists(select 1 from task)
    union all select 'key_pass' from key_pass where not exists(select 1 from queue)`,

  "numbers that are ahead of the counter": `
    select * from (select max(seq) as n from task union all select max(lease_no) from started union all select max(id) from queue
      union all select max(place) from task) where n > (select numbers from shard)`,
};

/** Open tasks that nobody has, with their options and since when the ready ones are ready. */
const waitingTasks = `
  select t.seq, t.queue, q.kind, t.added_at, t.due_at is null as ready, t.options,
    coalesce(
      (select since from front f where f.queue = t.queue and f.priority = t.priority and f.type = t.type and f.pass = t.pass
        and f.place = t.place and f.marker = 0),
      (select since from lane_row l where l.queue = t.queue and l.key = t.key and l.priority = t.priority
        and l.type = t.type and l.place = t.place),
      (select since from serial s where t.pass is null and s.queue = t.queue and s.key = t.serial_key
        and s.place = t.serial_place)) as since
  from task t join queue q on q.id = t.queue left join started st on st.seq = t.seq
  where t.state is null and st.seq is null and t.options is not null`;

interface WaitingRow {
  readonly seq: number;
  readonly queue: number;
  readonly kind: TaskQueueKind;
  readonly added_at: number;
  readonly ready: number;
  readonly options: Buffer;
  readonly since: number | null;
}

interface QueueRow {
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  readonly kind: TaskQueueKind;
}

/** Looks into the file beside the store, and compares what it says twice: counters with rows, memory with disk. */
export class InvariantChecker {
  readonly #db: Database.Database;
  readonly #expansion: Expansion;
  readonly #checks: readonly { readonly name: string; readonly find: Database.Statement }[];
  readonly #queues: Database.Statement<[], QueueRow>;
  readonly #counts;
  readonly #started;
  readonly #waiting: Database.Statement<[], WaitingRow>;
  readonly #timers: Database.Statement<[], string>;
  readonly #fallbacks: Database.Statement<[], string>;

  constructor(path: string) {
    this.#db = new Database(path, { readonly: true });
    this.#expansion = new Expansion(this.#db);
    this.#checks = Object.entries(contradictions).map(([name, sql]) => ({ name, find: this.#db.prepare(sql) }));
    this.#queues = this.#db.prepare(
      "select q.id, n.name as namespace, q.name, q.kind from queue q join namespace n on n.id = q.namespace",
    );
    this.#counts = this.#db.prepare<
      [number, Priority],
      { scheduled: number; ready: number; waiting: number; started: number; dead: number }
    >(
      `select coalesce(sum(scheduled), 0) as scheduled, coalesce(sum(ready), 0) as ready, coalesce(sum(waiting), 0) as waiting,
         coalesce(sum(started), 0) as started, coalesce(sum(dead), 0) as dead from count where queue = ? and priority = ?`,
    );
    this.#started = this.#db.prepare<[string], { id: string; lease_no: number; worker: string; canceled: number }>(
      `select t.id, s.lease_no, s.worker, s.cancel_at is not null as canceled from started s join task t on t.seq = s.seq
       join namespace n on n.id = t.namespace where n.name = ? order by t.seq`,
    );
    this.#waiting = this.#db.prepare(waitingTasks);
    this.#timers = this.#db
      .prepare<[], string>("select kind || ' ' || at || ' ' || seq from timer where kind in ('start', 'close')")
      .pluck();
    this.#fallbacks = this.#db.prepare<[], string>("select queue || ' ' || seq from fallback").pluck();
  }

  /**
   * Throws if anything disagrees.
   *
   * @param sqlite what is behind `store`, if that is another's
   */
  async check(store: Store, sqlite: Store = store): Promise<void> {
    // What stands in the journal alone is not seen from outside.
    settle(sqlite);
    this.#expansion.refresh();
    for (const { name, find } of this.#checks) {
      const found = find.all();
      if (found.length > 0) throw new Error(`${name}: ${JSON.stringify(found)}`);
    }
    this.#checkWaiting();
    await this.#checkCounters(store);
    for (const { name } of await store.listNamespaces()) await this.#checkStarted(store, name);
  }

  /** The timers of timeouts, and the rows of fallbacks, are those that the waiting tasks ask for. */
  #checkWaiting(): void {
    const timers: string[] = [];
    const fallbacks: string[] = [];
    for (const { seq, queue, kind, added_at, ready, options, since } of this.#waiting.all()) {
      const { timeouts, fallback } = readOptions(options, kind, null);
      const { scheduleToStartMs, scheduleToCloseMs } = timeouts;
      if (scheduleToCloseMs !== undefined) timers.push(`close ${added_at + scheduleToCloseMs} ${seq}`);
      if (ready === 0) continue;
      if (since === null) throw new Error(`task ${seq} is ready, and nothing says since when`);
      if (scheduleToStartMs !== undefined) timers.push(`start ${since + scheduleToStartMs} ${seq}`);
      if (fallback !== undefined) fallbacks.push(`${queue} ${seq}`);
    }
    same("timers of waiting tasks", this.#timers.all().toSorted(), timers.toSorted());
    same("fallbacks of ready tasks", this.#fallbacks.all().toSorted(), fallbacks.toSorted());
  }

  /** The counters in memory are those of the file. */
  async #checkCounters(store: Store): Promise<void> {
    for (const { id, namespace, name, kind } of this.#queues.all()) {
      const described = await store.describeTaskQueue({ namespace, name, kind });
      let waiting = 0;
      for (const priority of priorities) {
        const row = this.#counts.get(id, priority);
        if (row === undefined) continue;
        waiting += row.waiting;
        const onDisk = {
          scheduled: row.scheduled,
          ready: row.ready + row.waiting,
          started: row.started,
          dead: row.dead,
        };
        const inMemory = described.byPriority.get(priority) ?? { scheduled: 0, ready: 0, started: 0, dead: 0 };
        same(`counters of ${name} at priority ${priority}`, onDisk, inMemory);
      }
      same(`tasks of ${name} that wait for their serial key`, waiting, described.waitForSerialKey);
    }
  }

  /** The leases in memory are those of the file. */
  async #checkStarted(store: Store, namespace: string): Promise<void> {
    const rows = this.#started.all(namespace);
    const { items } = await store.listTasks(
      namespace,
      { states: ["started"] },
      { size: 100_000, examine: 100_000, maxBytes: Infinity },
    );
    const inMemory = items.map(({ id, started }) => ({
      id,
      lease_no: started?.leaseNo,
      worker: started?.workerId,
      canceled: started?.cancelRequested === true ? 1 : 0,
    }));
    same(`leases in ${namespace}`, rows, inMemory);
  }

  close(): void {
    this.#db.close();
  }
}

function same(what: string, onDisk: unknown, inMemory: unknown): void {
  const [disk, memory] = [JSON.stringify(onDisk), JSON.stringify(inMemory)];
  if (disk !== memory) throw new Error(`${what}: the file says ${disk}, not ${memory}`);
}
