import Database from "better-sqlite3";

/**
 * One table and one index, without order, limits, leases or counters: what the machine's SQLite gives at most, to compare
 * runs on different machines by.
 */
export function naive(path: string, count: number, batch: number): { readonly add: number; readonly drain: number } {
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
  const rate = (begin: number): number => Math.round(count / ((performance.now() - begin) / 1_000));

  let begin = performance.now();
  const add = db.transaction((from: number) => {
    for (let i = from; i < Math.min(from + batch, count); i++) {
      insert.run(i + 1, `0198f1a2-${String(i).padStart(12, "0")}`, payload);
    }
  });
  for (let i = 0; i < count; i += batch) add.immediate(i);
  const added = rate(begin);

  begin = performance.now();
  let held: number[] = [];
  const claim = db.transaction(() => {
    for (const seq of held) remove.run(seq);
    held = next.all(batch);
    for (const seq of held) start.get(seq);
  });
  do claim.immediate();
  while (held.length > 0);
  const drained = rate(begin);
  db.close();
  return { add: added, drain: drained };
}
