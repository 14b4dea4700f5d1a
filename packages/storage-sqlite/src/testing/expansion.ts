import type Database from "better-sqlite3";
import { Chunk } from "../chunk.ts";
import { Closings } from "../closings.ts";
import { readDelivery, type DeliveryRow } from "../deliveries.ts";
import { noLog, Writes } from "../journal/writes.ts";

/*
 * Tasks in chunks as if each had its row, and started tasks and those in runs of lanes as if each had one: temporary tables
 * of the connection, which its queries find before those of the file. `task`, `task_id`, `kept` and `lane_row` hide the tables of these names.
 */
const tables = `
  create temp table task as select * from main.task limit 0;
  create unique index temp.task_seq on task(seq);
  create temp table kept as select * from main.kept limit 0;
  create temp table task_id as select * from main.task_id limit 0;
  create temp table started(
    seq integer primary key, lease_no integer not null, worker text not null, delivery integer not null, cancel_at integer
  );
  create temp table lane_row(
    queue integer, key text, priority integer, type text, place integer, seq integer not null, weight real not null,
    since integer not null, last integer not null, primary key(queue, key, priority, type, place)
  );
  create temp table chunked(chunk integer not null, seq integer not null, last integer not null, id text not null);
`;

interface ChunkRow {
  readonly seq: number;
  readonly last: number;
  readonly gone: Buffer;
  readonly knows_ids: number;
  readonly body: Buffer;
}

/** Writes out what the file says in fewer rows. */
export class Expansion {
  readonly #db: Database.Database;
  readonly #clear;
  readonly #rows;
  readonly #ids;
  readonly #kept;
  readonly #closings: Closings;
  readonly #runs;
  readonly #chunks: Database.Statement<[], ChunkRow>;
  readonly #deliveries: Database.Statement<[], DeliveryRow>;
  readonly #add;

  /** @param db a connection of its own, since the tables stay with it */
  constructor(db: Database.Database) {
    this.#db = db;
    db.pragma("temp_store = MEMORY");
    db.exec(tables);
    this.#clear = ["task", "task_id", "kept", "started", "lane_row", "chunked"].map((name) =>
      db.prepare(`delete from temp.${name}`),
    );
    this.#rows = db.prepare("insert into temp.task select * from main.task");
    this.#ids = db.prepare("insert into temp.task_id select * from main.task_id");
    this.#kept = db.prepare("insert into temp.kept select * from main.kept");
    this.#closings = new Closings(db, new Writes(db, noLog));
    this.#runs = db.prepare(
      `with recursive member as (
         select *, 0 as i, iif(count = 1, 0, (last - place) / (count - 1)) as step from main.lane_row
         union all select queue, key, priority, type, last, place, count, seq, weight, since, i + 1, step
           from member where i + 1 < count)
       insert into temp.lane_row
         select queue, key, priority, type, place + i * step, seq + i * step, weight, since, last from member`,
    );
    this.#chunks = db.prepare(
      `select c.seq, c.last, c.gone, c.first_id is not null as knows_ids, b.body
       from chunk c join chunk_body b on b.seq = c.seq order by c.seq`,
    );
    this.#deliveries = db.prepare("select * from delivery order by id");
    const names = db.prepare("select name from pragma_table_info('task')").pluck().all() as string[];
    this.#add = {
      task: db.prepare(`insert into temp.task values(${names.map((name) => `@${name}`).join(", ")})`),
      kept: db.prepare("insert into temp.kept values(?, ?)"),
      id: db.prepare("insert into temp.task_id values(?, ?, ?)"),
      chunked: db.prepare("insert into temp.chunked values(?, ?, ?, ?)"),
      started: db.prepare(
        `insert into temp.started select ?, ?, ?, ?, (select cancel_at from attempt_note where seq = t.seq)
         from temp.task t where seq = ? and state is null`,
      ),
    };
  }

  /** Writes everything anew, as of now. */
  refresh(): void {
    this.#db.transaction(() => {
      for (const clear of this.#clear) clear.run();
      this.#rows.run();
      this.#ids.run();
      this.#kept.run();
      this.#runs.run();
      for (const row of this.#chunks.all()) this.#addChunk(row);
      for (const row of this.#deliveries.all()) {
        for (const { seq, leaseNo } of readDelivery(row)) this.#add.started.run(seq, leaseNo, row.worker, row.id, seq);
      }
    })();
  }

  #addChunk({ seq: first, last, gone, knows_ids, body }: ChunkRow): void {
    const chunk = Chunk.read(body, gone, { sparseSince: undefined, knowsIds: knows_ids !== 0 });
    chunk.completed = this.#closings.of(first, (index) => chunk.holds(index));
    if (gone.length !== Math.ceil(chunk.count / 8)) throw new Error(`chunk ${first} has ${gone.length} bytes of bits`);
    for (let i = 0; i < chunk.count; i++) {
      const seq = chunk.seqAt(i);
      this.#add.chunked.run(first, seq, last, chunk.idAt(i));
      if (!chunk.holds(i)) continue;
      const row = chunk.fullRow(i);
      this.#add.task.run(row);
      if (row.kept_until !== null) this.#add.kept.run(row.kept_until, seq);
      if (chunk.knowsIds) this.#add.id.run(chunk.head.namespaceId, chunk.idAt(i), seq);
    }
  }
}
