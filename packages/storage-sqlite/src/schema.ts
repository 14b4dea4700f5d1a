import Database from "better-sqlite3";
import { StoreError } from "@tq/storage";
import { whyOf } from "./why.ts";

/** Marks the file as ours: "tq01" as SQLite's application_id. */
const applicationId = 0x74713031;
/** Grows with each change of the tables, or of the journal's files. A file of another version is refused, not guessed at. */
const schemaVersion = 8;

/*
 * Names are short where they stand in a row of the hot path. `place` numbers come from one counter and are never reused;
 * so do `seq` and `lease_no`. Times are ms since the epoch. Priorities are 1 to 5.
 */
const tables = `
  create table shard(
    shard integer primary key, epoch integer not null,
    now integer not null,            -- time of the last commit: it never goes back, also over a restart
    numbers integer not null,        -- last number given out
    logged integer not null          -- number of the last commit of the journal that is in here
  );
  create table namespace(id integer primary key, name text not null unique, description text not null, created_at integer not null);
  create table queue(
    id integer primary key, namespace integer not null, name text not null, kind text not null,
    virtual_times text not null,     -- JSON, one per priority
    closed integer not null,         -- closed tasks of it that are kept: as long as there are any, its row stays
    arrival real not null,           -- theoretical arrival time of its rate limit: see the core's rate-limit
    asked_rate real,                 -- the rate that workers asked for, as of the last dispatch under it
    delayed_since integer,           -- since when tasks are scheduled and none is ready
    config_revision integer not null,
    config text, pause text, drain text -- JSON; null: nothing is set
  );
  create unique index queue_name on queue(namespace, name, kind);

  -- The number of each task, open or kept, but for those in chunks that know their own ids.
  create table task_id(namespace integer, id text, seq integer not null, primary key(namespace, id)) without rowid;
  -- Tasks that were added together and are still as they were added, or completed since: ready, started for the first time,
  -- or in a closing. See chunk.ts.
  create table chunk(
    seq integer primary key, last integer not null, -- numbers of its first and its last task
    gone blob not null,              -- a bit for each task that is not in it any more
    sparse_since integer,            -- since when few are left
    namespace integer not null, first_id text, last_id text -- set if it knows its own ids, which are all between these
  );
  create index chunk_ids on chunk(namespace, first_id) where first_id is not null;
  create index chunk_sparse on chunk(sparse_since) where sparse_since is not null;
  -- Tasks of a chunk that completed together and are kept, with their outcomes. See closings.ts.
  create table closing(
    id integer primary key, chunk integer not null, closed_at integer not null, kept_until integer not null, body blob not null
  );
  create index closing_of on closing(chunk);
  create index closing_until on closing(kept_until);
  create table chunk_body(seq integer primary key, body blob not null);
  -- One row for each other task, open or kept. Where an open one is follows from the other tables: in a delivery, it is
  -- started; with due_at, it is scheduled; else it is ready.
  create table task(
    seq integer primary key, namespace integer not null, id text not null, run integer not null,
    queue integer not null, type text not null, priority integer not null, key text not null, weight real not null,
    serial_key text, serial_place integer,
    pass real, place integer,        -- its row in front, or in lane_row
    added_at integer not null, due_at integer, start_to_close_ms integer,
    attempts integer not null,       -- used in this run
    returns integer not null,        -- unconfirmed deliveries in a row
    answered integer,                -- lease number of the last answer that was accepted
    state text, closed_at integer, kept_until integer,
    headers text,                    -- JSON
    options blob, outcome blob, history blob, heartbeat blob, closed_task blob,
    input blob not null              -- text if it is small and ASCII; last: SQLite reads a row from the front and stops early
  );

  -- The only thing a claim orders by. A row is a task, or the marker of a heavy key that stands for its lanes.
  create table front(
    queue integer, priority integer, type text, pass real, place integer,
    seq integer not null, key text not null, marker integer not null, weight real not null, since integer not null,
    primary key(queue, priority, type, pass, place)
  ) without rowid;
  -- Later tasks of heavy or blocked keys, first in, first out. A row is a run of them: place and number grow by the same
  -- step from one to the next.
  create table lane_row(
    queue integer, key text, priority integer, type text, last integer,
    place integer not null, count integer not null, seq integer not null, weight real not null, since integer not null,
    primary key(queue, key, priority, type, last)
  ) without rowid;
  -- A row for each lane that exists: where its marker is. Blocked lanes have none.
  create table lane(
    queue integer, key text, priority integer, type text,
    marker_pass real not null, marker_place integer not null, blocked integer not null,
    tasks integer not null,          -- how many stand in it
    primary key(queue, key, priority, type)
  ) without rowid;
  -- The next pass of a key; gone once the virtual time has passed it.
  create table key_pass(
    queue integer, priority integer, key text, pass real not null, primary key(queue, priority, key)
  ) without rowid;
  -- A key with limits: the theoretical arrival time of its rate, and since when and why it is passed over. Its lanes are
  -- then blocked. Gone once it is refilled and not passed over.
  create table key_limit(
    queue integer, key text, arrival real not null, held_back text, since integer, wake_at integer, primary key(queue, key)
  ) without rowid;
  create index key_limit_wake on key_limit(wake_at, queue, key) where wake_at is not null;
  create index key_limit_idle on key_limit(arrival) where held_back is null;
  -- Everyone in line for a serial key, the one at work included.
  create table serial(
    queue integer, key text, place integer, seq integer not null, since integer not null,
    primary key(queue, key, place)
  ) without rowid;

  -- What a poll was granted: a row for up to so many tasks of one claim. It stays until none of them is started. A task in
  -- it is started, unless it is gone or closed: completions are not written here. See deliveries.ts.
  create table delivery(
    id integer primary key,          -- lease number of its first task
    lease_ms integer not null, started_at integer not null, worker text not null, poll text not null,
    tasks text not null              -- seq, lease number, pass, place and since of each: see number-rows.ts
  );
  -- What was said about a started task: a cancel that was asked for, the details of its last heartbeat.
  create table attempt_note(
    seq integer primary key, cancel_reason text, cancel_at integer, heartbeat_at integer, heartbeat blob
  );
  -- Deliveries to polls that asked for confirmation, until their workers have mentioned them. The first lease number names
  -- one; leases is the seq and lease number of each: see number-rows.ts.
  create table unconfirmed(delivery integer primary key, confirm_ms integer not null, leases text not null);
  -- What happens by time: "ready" ends a delay or back-off, "start" is a schedule-to-start that is over, "close" a
  -- schedule-to-close. "resume" ends the pause of a queue; its seq is the queue's id.
  create table timer(kind text, at integer, seq integer, primary key(kind, at, seq)) without rowid;
  -- Ready tasks that have a fallback.
  create table fallback(queue integer, seq integer, primary key(queue, seq)) without rowid;
  -- Workers that are to take nothing new.
  create table drained_worker(namespace integer, worker text, at integer not null, primary key(namespace, worker)) without rowid;
  create table kept(until integer, seq integer, primary key(until, seq)) without rowid;
  create table request(
    namespace integer, id text, verb text not null, until integer not null, answer text not null,
    primary key(namespace, id)
  ) without rowid;
  create index request_until on request(until);
  create table event(
    id integer primary key, namespace integer not null, at integer not null, actor text not null, reason text not null,
    call text not null, queue_name text, queue_kind text, worker text, request text not null, changed integer not null
  );
  create index event_of on event(namespace, queue_name, id);
  create index event_at on event(at);

  create table count(
    queue integer, priority integer, type text, scheduled integer not null,
    ready integer not null,          -- placed: in front or in a lane
    waiting integer not null,        -- ready, but behind another of its serial key
    started integer not null, dead integer not null,
    primary key(queue, priority, type)
  ) without rowid;
  -- How many became ready in each 100 ms and still are.
  create table age(queue integer, bucket integer, n integer not null, primary key(queue, bucket)) without rowid;
`;

/** Opens a connection. Throws StoreError "unusable" if there can be none. */
export function openFile(path: string): Database.Database {
  try {
    // Nobody else is to write to it: there is nothing to wait for.
    return new Database(path, { timeout: 0 });
  } catch (error) {
    throw new StoreError("unusable", `cannot open ${path}: ${whyOf(error)}`, {
      cause: error,
    });
  }
}

/** Prepares the connection, and creates the tables in a new file. Throws StoreError "unusable" for a file that is not ours. */
export function prepareSchema(db: Database.Database, path: string, now: number): void {
  // Looked at before anything is set: another program's file stays as it is.
  const found = whatIsThere(db, path);
  // WAL: readers beside the writer.
  db.pragma("journal_mode = WAL");
  // SQLite itself syncs at checkpoints only. An acknowledgement follows its fsync all the same: see journal/.
  db.pragma("synchronous = NORMAL");
  // 16 MiB of pages: the upper levels of every index, and the tail of the hot ones. 64 MiB cost no less CPU time (a million
  // keys: 20.9 and 21.9 µs an add), and would be the most of what a server with a large backlog has in memory.
  db.pragma("cache_size = -16384");
  db.pragma("temp_store = MEMORY");
  if (found === "ours") return;
  db.transaction(() => {
    db.exec(tables);
    db.prepare("insert into shard values(0, 0, ?, 0, 0)").run(now);
    db.prepare("insert into namespace values(1, 'default', '', ?)").run(now);
    db.pragma(`application_id = ${applicationId}`);
    db.pragma(`user_version = ${schemaVersion}`);
  })();
}

/** Whether the file has our tables, or nothing yet. */
function whatIsThere(db: Database.Database, path: string): "ours" | "nothing" {
  const id = db.pragma("application_id", { simple: true });
  const version = db.pragma("user_version", { simple: true });
  if (id === applicationId) {
    if (version === schemaVersion) return "ours";
    throw new StoreError(
      "unusable",
      `${path} has the tables of version ${String(version)}; this server reads version ${schemaVersion}. ` +
        "Use the tq version that wrote it, or another data folder.",
    );
  }
  if (db.prepare("select count(*) from sqlite_master").pluck().get() === 0) return "nothing";
  throw new StoreError("unusable", `${path} is a SQLite database of another program. Name another data folder.`);
}
