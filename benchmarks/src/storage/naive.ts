import Database from "better-sqlite3";

/** Tasks a second, and CPU time a task. */
export interface Speed {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

/**
 * One table and one index, without order, limits, leases or counters: what the machine's SQLite gives at most, to compare
 * runs on different machines by.
 */
export function naive(path: string, count: number, batch: number): { readonly add: Speed; readonly drain: Speed } {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("cache_size = -65536");
  db.exec(
    `create table task(seq integer primary key, id text not null, state integer not null, payload blob not null);
     create unique index task_id on task(id); create index task_ready on task(state, seq)`,
  );
  const insert = db.prepare("insert into task values(?, ?, 0, ?)");
  const next = db.prepare<[number], number>("select seq from task where state = 0 order by seq limit ?").pluck();
  const start = db.prepare("update task set state = 1 where seq = ? returning id, payload");
  const remove = db.prepare("delete from task where seq = ?");
  const payload = Buffer.alloc(256, 7);
  const measure = (run: () => void): Speed => {
    const begin = performance.now();
    const cpu = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(cpu);
    const perSecond = Math.round(count / ((performance.now() - begin) / 1_000));
    return { perSecond, cpuMicroseconds: Math.round((100 * (user + system)) / count) / 100 };
  };

  const add = db.transaction((from: number) => {
    for (let i = from; i < Math.min(from + batch, count); i++) {
      insert.run(i + 1, `0198f1a2-${String(i).padStart(12, "0")}`, payload);
    }
  });
  const added = measure(() => {
    for (let i = 0; i < count; i += batch) add.immediate(i);
  });

  let held: number[] = [];
  const claim = db.transaction(() => {
    for (const seq of held) remove.run(seq);
    held = next.all(batch);
    for (const seq of held) start.get(seq);
  });
  const drained = measure(() => {
    do claim.immediate();
    while (held.length > 0);
  });
  db.close();
  return { add: added, drain: drained };
}
