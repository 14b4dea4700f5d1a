import Database from "better-sqlite3";
import {
  StoreError,
  type Commit,
  type Committed,
  type NextDue,
  type Opened,
  type Operation,
  type OperationResult,
  type Store,
  type TimeoutsRecord,
} from "@tq/storage";
import { backUp } from "./backup.ts";
import { Checkpoints } from "./checkpoints.ts";
import { readOptions } from "./columns.ts";
import { lockFile, type FileLock } from "./lock.ts";
import { LogSync, type SyncCalls } from "./log-sync.ts";
import { openParts } from "./parts.ts";
import { Reader } from "./reader.ts";
import { prepareSchema } from "./schema.ts";
import { Transaction, type Parts } from "./transaction.ts";
import { add } from "./verbs/add.ts";
import { answer } from "./verbs/answer.ts";
import { cancel } from "./verbs/cancel.ts";
import { changeTasks } from "./verbs/change-tasks.ts";
import { claimAll } from "./verbs/claim.ts";
import { deleteQueue } from "./verbs/delete-queue.ts";
import { drainWorker } from "./verbs/drain-worker.ts";
import { fallBackAll } from "./verbs/fall-back.ts";
import { confirm, giveBack, renew, repoll } from "./verbs/leases.ts";
import { configure, drain, pause, resume } from "./verbs/settings.ts";
import { createNamespace } from "./verbs/namespaces.ts";
import { expire, keepEmptyQueueMs, promote, sweep } from "./verbs/timed.ts";

/** Where the store lies, and what it needs from outside. */
export interface SqliteStoreOptions {
  /** The database file; its folder must exist. Beside it: `-wal`, `-shm` and `.lock`. */
  readonly path: string;
  /** A number in [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** How the log is synced; the system's own calls unless a test stands between. */
  readonly syncCalls?: SyncCalls;
  /**
   * Set: the log is brought into the database by a thread of its own, and a checkpoint that fails is told here. Default:
   * SQLite does it, inside the commits that make the log long enough.
   */
  readonly checkpointFailed?: (why: string) => void;
}

/** More operations than this in a commit: others are likely to come meanwhile, and the disk is not waited for. */
const fewOperations = 2;

interface Open {
  readonly db: Database.Database;
  readonly lock: FileLock;
  readonly sync: LogSync;
  readonly checkpoints: Checkpoints | undefined;
  readonly parts: Parts;
  readonly reader: Reader;
  readonly begin: Database.Statement;
  readonly commit: Database.Statement;
  readonly rollback: Database.Statement;
  readonly changes: Database.Statement<[], number>;
  readonly stamp: Database.Statement;
  readonly epochNow: Database.Statement<[], number>;
  now: number;
  readonly openedAt: number;
  /** A transaction failed, and what is in memory may differ from the file. */
  stale: boolean;
}

/**
 * The embedded store: one SQLite file, one connection, one shard.
 *
 * SQLite answers synchronously, so a transaction blocks the process for its length. Whatever arrives meanwhile goes into
 * the next one, and the next one may begin while the log of the last is still being synced.
 */
export class SqliteStore implements Store {
  readonly description: string;
  readonly #options: SqliteStoreOptions;
  #open: Open | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.description = `sqlite ${options.path}`;
  }

  async open(at: number): Promise<Opened> {
    const { path, random, syncCalls, checkpointFailed } = this.#options;
    const lock = lockFile(path);
    let db: Database.Database | undefined;
    let sync: LogSync | undefined;
    let checkpoints: Checkpoints | undefined;
    try {
      db = openFile(path);
      prepareSchema(db, path, at);
      const row = db
        .prepare<[], { epoch: number; now: number; numbers: number }>("select epoch, now, numbers from shard")
        .get();
      if (row === undefined)
        throw new StoreError("unusable", `${path} has no shard row; it is damaged. Restore a backup.`);
      const now = Math.max(at, row.now);
      const epoch = row.epoch + 1;
      db.prepare("update shard set epoch = ?, now = ?").run(epoch, now);
      // By now there is a log. The epoch is on disk before anything is done in its name.
      sync = new LogSync(`${path}-wal`, syncCalls);
      await sync.writtenNow();
      const parts = openParts(db, random);
      parts.numbers.reset(row.numbers);
      parts.namespaces.reset();
      parts.passes.reset(now);
      parts.limits.reset(now);
      parts.queues.reset(now);
      parts.started.reload((seq) => parts.tasks.find(seq), timeoutsOf, now);
      checkpoints = checkpointFailed && new Checkpoints(db, path, checkpointFailed);
      this.#open = {
        db,
        lock,
        sync,
        checkpoints,
        parts,
        reader: new Reader(parts, () => this.#opened().now),
        begin: db.prepare("begin immediate"),
        commit: db.prepare("commit"),
        rollback: db.prepare("rollback"),
        changes: db.prepare<[], number>("select total_changes()").pluck(),
        stamp: db.prepare("update shard set now = ?, numbers = ? where epoch = ?"),
        epochNow: db.prepare<[], number>("select epoch from shard").pluck(),
        now,
        openedAt: now,
        stale: false,
      };
      return {
        lease: { shard: 0, epoch },
        now,
        nextDue: this.#nextDue(this.#open),
        withFallback: parts.fallbacks.queues().map((id) => parts.queues.byId(id).queue),
        drainedWorkers: parts.drainedWorkers
          .all()
          .map(({ namespace, worker }) => ({ namespace: parts.namespaces.nameOf(namespace), workerId: worker })),
        unconfirmed: parts.unconfirmed.load(parts.started, parts.namespaces),
      };
    } catch (error) {
      this.#open = undefined;
      await checkpoints?.close();
      await sync?.close();
      db?.close();
      lock.release();
      const translated = translate(error, path);
      // Tables that are not what they should be: the file is ours by its mark, and still of no use.
      if (translated instanceof Database.SqliteError) {
        throw new StoreError("unusable", `${path} is damaged: ${translated.message}. Restore a backup.`, {
          cause: error,
        });
      }
      throw translated;
    }
  }

  async commit(commit: Commit): Promise<Committed> {
    const open = this.#opened();
    if (commit.lease.shard !== 0)
      throw new StoreError("shard-lost", `sqlite has one shard, 0; not ${commit.lease.shard}`);
    if (open.sync.lost !== undefined) throw open.sync.lost;
    const now = Math.max(commit.now, open.now);
    const tx = new Transaction(open.parts, now, open.openedAt);
    try {
      if (open.stale) this.#undo(open);
      open.begin.run();
      if (open.epochNow.get() !== commit.lease.epoch) {
        throw new StoreError("shard-lost", "another server has taken this store over; this one must stop");
      }
      const before = open.changes.get();
      const results = commit.operations.map((operation) => carryOut(tx, operation));
      open.parts.order.ranks.close(open.parts.order);
      const order = commit.plan(tx.touched, results);
      tx.touched = new Map();
      const { outcomes, granted } = claimAll(tx, order);
      open.parts.order.ranks.close(open.parts.order);
      open.parts.started.flush();
      open.parts.tasks.flush(now);
      open.parts.queues.flush(now);
      open.parts.ages.flush();
      open.parts.passes.flush(now);
      open.parts.limits.flush(now);
      open.parts.order.flush();
      // A transaction that changed nothing (an idle renewal) is not worth an fsync.
      const isChange = open.changes.get() !== before;
      if (isChange) open.stamp.run(now, open.parts.numbers.last, commit.lease.epoch);
      // Everything that reads comes before: what follows the commit must not fail, or it would look as if nothing happened.
      const nextDue = this.#nextDue(open);
      open.commit.run();
      open.now = now;
      open.checkpoints?.committed();
      open.parts.started.committed();
      open.parts.queues.evict();
      open.parts.tasks.evict();
      for (const part of [open.parts.passes, open.parts.order.lanes, open.parts.limits]) part.evict();
      const notices = [...tx.notices.values()];
      return {
        durable: this.#durable(open, isChange, commit.operations.length),
        now,
        results,
        claims: outcomes,
        granted,
        closed: tx.closed,
        notices,
        added: tx.added,
        touched: tx.touched,
        withFallback: tx.withFallback,
        nextDue,
      };
    } catch (error) {
      open.stale = true;
      try {
        this.#undo(open);
      } catch {
        // The file cannot even be read: tried again before the next commit. What went wrong first says more.
      }
      throw translate(error, this.#options.path);
    }
  }

  backup: Store["backup"] = async (path, onProgress) => backUp(this.#opened().db, path, onProgress);

  async close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    try {
      await open.checkpoints?.close();
      await open.sync.close();
      open.db.close();
    } finally {
      open.lock.release();
    }
  }

  getTasks: Store["getTasks"] = async (...args) => this.#read(({ reader }) => reader.getTasks(...args));
  listTasks: Store["listTasks"] = async (...args) => this.#read(({ reader }) => reader.listTasks(...args));
  listTaskQueues: Store["listTaskQueues"] = async (...args) =>
    this.#read(({ reader }) => reader.listTaskQueues(...args));
  describeTaskQueue: Store["describeTaskQueue"] = async (queue) =>
    this.#read(({ reader }) => reader.describeTaskQueue(queue));
  countLeased: Store["countLeased"] = async (...args) =>
    this.#readNewest(this.#opened(), ({ reader }) => reader.countLeased(...args));
  startedByWorker: Store["startedByWorker"] = async (namespace) =>
    this.#read(({ reader }) => reader.startedByWorker(namespace));
  heldBy: Store["heldBy"] = async (...args) => this.#read(({ reader }) => reader.heldBy(...args));
  listEvents: Store["listEvents"] = async (...args) => this.#read(({ reader }) => reader.listEvents(...args));
  describeNamespace: Store["describeNamespace"] = async (name) =>
    this.#read(({ reader }) => reader.describeNamespace(name));
  listNamespaces: Store["listNamespaces"] = async () => this.#read(({ parts }) => parts.namespaces.all());
  hasNamespace: Store["hasNamespace"] = async (name) =>
    this.#read(({ parts }) => parts.namespaces.idOf(name) !== undefined);

  /** What is told is on disk. */
  async #read<Answer>(answer: (open: Open) => Answer): Promise<Answer> {
    const open = this.#opened();
    const answered = this.#readNewest(open, answer);
    if (!open.sync.isSettled) await open.sync.settled();
    return answered;
  }

  #readNewest<Answer>(open: Open, answer: (open: Open) => Answer): Answer {
    try {
      if (open.stale) this.#undo(open);
      const answered = answer(open);
      open.parts.tasks.evict();
      return answered;
    } catch (error) {
      throw translate(error, this.#options.path);
    }
  }

  #durable({ sync }: Open, isChange: boolean, operations: number): Promise<void> {
    // Its results may tell of what an earlier one wrote.
    if (!isChange) return sync.settled();
    // A process with little to do answers sooner if it waits itself: handing it over costs two changes of thread.
    return operations <= fewOperations ? sync.writtenNow() : sync.written();
  }

  /** Takes back a transaction that failed, and forgets everything in memory that it may have changed. */
  #undo(open: Open): void {
    if (open.db.inTransaction) open.rollback.run();
    const { parts, now } = open;
    parts.namespaces.reset();
    parts.queues.reset(now);
    parts.ages.reset();
    parts.passes.reset(now);
    parts.limits.reset(now);
    parts.order.reset();
    parts.tasks.reset();
    parts.started.reload((seq) => parts.tasks.find(seq), timeoutsOf, undefined);
    open.stale = false;
  }

  #nextDue(open: Open): NextDue {
    const { timers, started, tasks, kept, queues, passes, limits, events, drainedWorkers } = open.parts;
    const promotes = [timers.next("ready"), timers.next("resume"), limits.next()].filter((at) => at !== undefined);
    const expires = [started.nextDue(), timers.next("start"), timers.next("close")].filter((at) => at !== undefined);
    const sweeps = [
      kept.next(),
      tasks.nextCompleted(),
      tasks.nextSparse(),
      queues.nextRemoval(keepEmptyQueueMs),
      passes.nextPrune,
      limits.nextPrune,
      events.next(),
      drainedWorkers.next(),
    ].filter((at) => at !== undefined);
    return {
      ...(promotes.length > 0 && { promote: Math.min(...promotes) }),
      ...(expires.length > 0 && { expire: Math.min(...expires) }),
      ...(sweeps.length > 0 && { sweep: Math.min(...sweeps) }),
    };
  }

  #opened(): Open {
    if (this.#open === undefined) throw new StoreError("unavailable", "the store is not open");
    return this.#open;
  }
}

function openFile(path: string): Database.Database {
  try {
    return new Database(path);
  } catch (error) {
    throw new StoreError("unusable", `cannot open ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function carryOut(tx: Transaction, operation: Operation): OperationResult {
  switch (operation.verb) {
    case "add":
      return add(tx, operation);
    case "answer":
      return answer(tx, operation);
    case "renew":
      return renew(tx, operation);
    case "return":
      return giveBack(tx, operation);
    case "confirm":
      return confirm(tx, operation);
    case "repoll":
      return repoll(tx, operation);
    case "cancel":
      return cancel(tx, operation);
    case "promote":
      return promote(tx, operation);
    case "expire":
      return expire(tx, operation);
    case "sweep":
      return sweep(tx, operation);
    case "note": {
      const { events, namespaces } = tx.parts;
      events.add(namespaces.idOf(operation.namespace) ?? 0, tx.now, operation.action, {});
      return { verb: "note" };
    }
    case "create-namespace":
      return createNamespace(tx, operation);
    case "configure":
      return configure(tx, operation);
    case "pause":
      return pause(tx, operation);
    case "resume":
      return resume(tx, operation);
    case "drain":
      return drain(tx, operation);
    case "fall-back":
      return fallBackAll(tx, operation);
    case "delete-queue":
      return deleteQueue(tx, operation);
    case "change-tasks":
      return changeTasks(tx, operation);
    case "drain-worker":
      return drainWorker(tx, operation);
  }
}

function timeoutsOf(options: Buffer | null): TimeoutsRecord {
  return options === null ? {} : readOptions(options, "activity", null).timeouts;
}

/** What SQLite throws, as the contract has it. Anything else is a defect, and goes on as it is. */
function translate(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  switch (error.code.split("_").slice(0, 2).join("_")) {
    case "SQLITE_FULL":
      return new StoreError("unavailable", `the disk of ${path} is full; free some space`, { cause: error });
    case "SQLITE_READONLY":
      return new StoreError("unavailable", `${path} cannot be written: it, or its folder, is read-only`, {
        cause: error,
      });
    case "SQLITE_IOERR":
    case "SQLITE_BUSY":
      return new StoreError("unavailable", `${path} cannot be written: ${error.message}`, { cause: error });
    case "SQLITE_CANTOPEN":
      return new StoreError("unusable", `${path} cannot be opened: ${error.message}`, { cause: error });
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return new StoreError("unusable", `${path} is not a SQLite database, or is damaged: ${error.message}`, {
        cause: error,
      });
    default:
      return error;
  }
}
