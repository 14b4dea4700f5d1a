import Database from "better-sqlite3";
import { StoreError, type Commit, type Committed, type Opened, type Store, type TimeoutsRecord } from "@tq/storage";
import { backUp } from "./backup.ts";
import { Checkpoints, startCheckpointThread } from "./checkpoints.ts";
import { readOptions } from "./columns.ts";
import { lockFile, type FileLock } from "./lock.ts";
import { Journal, type JournalLimits } from "./journal/journal.ts";
import { systemCalls, type LogCalls } from "./journal/log-sync.ts";
import { removeJournals } from "./journal/segments.ts";
import { takeOver } from "./journal/take-over.ts";
import { runAgain, stampShard, Writes } from "./journal/writes.ts";
import { nextDue } from "./next-due.ts";
import { openParts, settleParts } from "./parts.ts";
import { Reader } from "./reader.ts";
import { openFile, prepareSchema } from "./schema.ts";
import { translate } from "./sqlite-errors.ts";
import { Transaction, type Parts } from "./transaction.ts";
import { claimAll } from "./verbs/claim.ts";
import { carryOut } from "./verbs/carry-out.ts";

/** Where the store lies, and what it needs from outside. */
export interface SqliteStoreOptions {
  /** The database file; its folder must exist. Beside it: `-wal`, `-shm`, `.lock` and `-log.<epoch>.<0 or 1>`. */
  readonly path: string;
  /** A number in [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** How the journal is written; the system's own calls unless a test stands between. */
  readonly logCalls?: LogCalls;
  /** How much is kept in the journal alone; less, where a test is to see it end. */
  readonly journalLimits?: JournalLimits;
  /**
   * Set: the log is brought into the database by a thread of its own, and a checkpoint that fails is told here. Default:
   * SQLite does it, inside the commits that make the log long enough.
   */
  readonly checkpointFailed?: (why: string) => void;
}

interface Open {
  readonly db: Database.Database;
  readonly epoch: number;
  readonly lock: FileLock;
  readonly journal: Journal;
  readonly checkpoints: Checkpoints | undefined;
  readonly parts: Parts;
  readonly reader: Reader;
  readonly begin: Database.Statement;
  readonly commit: Database.Statement;
  readonly rollback: Database.Statement;
  readonly stamp: Database.Statement;
  readonly epochNow: Database.Statement<[], number>;
  now: number;
  /** The last number that was given out, as of the last record. */
  numbers: number;
  readonly openedAt: number;
  /** A transaction of SQLite's is under way. Told here, since SQLite is asked in each commit otherwise. */
  isInTransaction: boolean;
  /** A commit failed, and what is in memory may differ from the file. */
  stale: boolean;
  /** It is to be settled once those who wait for the last commit have been told. */
  settling: NodeJS.Immediate | undefined;
  settlingFailed: boolean;
}

/**
 * The embedded store: one SQLite file, one connection, one shard.
 *
 * SQLite answers synchronously, so a commit blocks the process for its length. Whatever arrives meanwhile goes into the next
 * one, and the next one may begin while the last is still on its way to the disk. What is committed stands in the journal
 * first; SQLite's transaction goes on over many commits: see journal/.
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
    const { path, random, logCalls = systemCalls, journalLimits, checkpointFailed } = this.#options;
    const lock = lockFile(path);
    let db: Database.Database | undefined;
    let journal: Journal | undefined;
    let checkpoints: Checkpoints | undefined;
    try {
      db = openFile(path);
      prepareSchema(db, path, at);
      const { epoch, now, numbers, logged } = takeOver(db, path, at, logCalls);
      journal = new Journal({ path, epoch, last: logged }, journalLimits, logCalls);
      const parts = openParts(db, new Writes(db, journal), random);
      parts.numbers.reset(numbers);
      parts.namespaces.reset();
      parts.passes.reset(now);
      parts.limits.reset(now);
      parts.queues.reset(now);
      parts.started.reload((seq) => parts.tasks.find(seq), timeoutsOf, now);
      checkpoints = checkpointFailed && new Checkpoints(db, startCheckpointThread(path), checkpointFailed);
      this.#open = {
        db,
        epoch,
        lock,
        journal,
        checkpoints,
        parts,
        reader: new Reader(parts, () => this.#opened().now),
        begin: db.prepare("begin immediate"),
        commit: db.prepare("commit"),
        rollback: db.prepare("rollback"),
        stamp: db.prepare(stampShard),
        epochNow: db.prepare<[], number>("select epoch from shard").pluck(),
        now,
        numbers,
        openedAt: now,
        isInTransaction: db.inTransaction,
        stale: false,
        settling: undefined,
        settlingFailed: false,
      };
      const unconfirmed = parts.unconfirmed.load(parts.started, parts.namespaces);
      // What is tidied up here is tidied up again after a crash.
      journal.abandon();
      return {
        lease: { shard: 0, epoch },
        now,
        nextDue: nextDue(parts),
        withFallback: parts.fallbacks.queues().map((id) => parts.queues.byId(id).queue),
        drainedWorkers: parts.drainedWorkers
          .all()
          .map(({ namespace, worker }) => ({ namespace: parts.namespaces.nameOf(namespace), workerId: worker })),
        unconfirmed,
      };
    } catch (error) {
      this.#open = undefined;
      await checkpoints?.close();
      journal?.close();
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
    const { journal, parts } = open;
    if (journal.lost !== undefined) throw journal.lost;
    const now = Math.max(commit.now, open.now);
    const tx = new Transaction(open.parts, now, open.openedAt);
    try {
      if (open.stale) this.#undo(open);
      // It failed: as long as it does, no more is taken in. Or there has been no moment for it.
      if (open.settlingFailed || journal.isOverdue) this.#settle(open);
      this.#begin(open, commit.lease.epoch);
      journal.begin();
      const results = commit.operations.map((operation) => carryOut(tx, operation));
      parts.order.ranks.close(parts.order);
      const order = commit.plan(tx.takeTouched(), results);
      const { outcomes, granted } = claimAll(tx, order);
      parts.order.ranks.close(parts.order);
      parts.started.flush();
      parts.tasks.flush(now);
      parts.queues.flush(now);
      parts.ages.flush();
      parts.passes.flush(now);
      parts.limits.flush(now);
      parts.order.flush();
      // Everything that reads comes before: what follows must not fail, or it would look as if nothing happened.
      const due = nextDue(parts);
      // A commit that changed nothing (an idle renewal) is not worth a write.
      const isChange = journal.hasChanges;
      if (isChange) journal.finish(now, (open.numbers = parts.numbers.last));
      open.now = now;
      parts.started.committed();
      parts.tasks.evict();
      // If nothing changed, its results may tell of what an earlier one wrote.
      const canWait = granted.every((tasks) => tasks.length === 0) && commit.canWait?.(tx.closed) === true;
      const durable = !isChange ? journal.onDisk() : canWait ? journal.writtenSoon() : journal.written();
      this.#settleSoon(open);
      return {
        durable,
        now,
        results,
        claims: outcomes,
        granted,
        closed: tx.closed,
        notices: tx.notices,
        added: tx.added,
        touched: tx.takeTouched(),
        withFallback: tx.withFallback,
        nextDue: due,
      };
    } catch (error) {
      open.stale = true;
      journal.abandon();
      try {
        this.#undo(open);
      } catch {
        // The file cannot even be read: tried again before the next commit. What went wrong first says more.
      }
      throw translate(error, this.#options.path);
    }
  }

  /** Brings everything that was committed into the database file. */
  settle(): void {
    try {
      const open = this.#opened();
      if (open.stale) this.#undo(open);
      this.#settle(open);
    } catch (error) {
      throw translate(error, this.#options.path);
    }
  }

  backup: Store["backup"] = async (path, onProgress) => {
    await this.#opened().journal.onDisk();
    this.settle();
    return backUp(this.#options.path, path, this.#options.random, onProgress);
  };

  async close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    clearImmediate(open.settling);
    const { checkpoints, db, epoch, journal, lock } = open;
    try {
      await checkpoints?.close();
      // Whoever waits hears of a failure; closing is not worse for it.
      await journal.onDisk().catch(() => undefined);
      // What was lost is found, or not, at the next start; what there is no room for is run again there.
      let isWhole = false;
      try {
        isWhole = !open.stale && journal.lost === undefined && this.#settled(open);
      } finally {
        try {
          journal.close();
        } finally {
          db.close();
        }
      }
      // Not that of another server, which may have taken over since.
      if (isWhole) removeJournals(this.#options.path, (one) => one === epoch);
    } finally {
      lock.release();
    }
  }

  /** Lets go of the files as a process does that is killed: what is not settled stays in the journal alone. */
  abandon(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    clearImmediate(open.settling);
    void open.checkpoints?.close();
    open.journal.abandonFiles();
    open.db.close();
    open.lock.release();
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
    if (!open.journal.isOnDisk) await open.journal.onDisk();
    return answered;
  }

  #readNewest<Answer>(open: Open, answer: (open: Open) => Answer): Answer {
    try {
      if (open.stale) this.#undo(open);
      const answered = answer(open);
      open.parts.tasks.evict();
      return answered;
    } catch (error) {
      // It may have been writing what the journal alone has: see #settle.
      if (error instanceof Database.SqliteError) open.stale = true;
      throw translate(error, this.#options.path);
    }
  }

  /** A transaction of SQLite's is under way from here on. While it is, nobody else can write to the file. */
  #begin(open: Open, epoch: number): void {
    if (open.isInTransaction) return;
    const { begin, epochNow } = open;
    try {
      begin.run();
      open.isInTransaction = true;
    } catch (error) {
      // Who writes to it is another server, if the epoch says so; else somebody who will be gone.
      if (epochNow.get() === epoch) throw error;
    }
    if (epochNow.get() !== epoch) {
      throw new StoreError("shard-lost", "another server has taken this store over; this one must stop");
    }
  }

  /** Commits SQLite's transaction, so that the records so far need not be run again. */
  #settle(open: Open): void {
    const { checkpoints, journal, now, numbers, parts } = open;
    if (!open.isInTransaction) return;
    try {
      settleParts(parts);
      open.stamp.run(now, numbers, journal.last);
      open.commit.run();
      open.isInTransaction = false;
      open.settlingFailed = false;
      journal.settled();
    } catch (error) {
      // Some of it was done, or SQLite has taken everything back: it begins again from the journal.
      open.stale = true;
      throw error;
    }
    checkpoints?.committed();
    parts.queues.evict();
    parts.tasks.evict();
    for (const part of [parts.passes, parts.order.lanes, parts.limits]) part.evict();
  }

  /** Settles, unless the disk does not let it. */
  #settled(open: Open): boolean {
    try {
      this.#settle(open);
      return true;
    } catch (error) {
      if (error instanceof Database.SqliteError) return false;
      throw error;
    }
  }

  /**
   * Settles, if it is time, once those who wait for the last commit have been told: it takes longer than a commit. What
   * would be written in any case is written as it is worth a statement, so that it takes no longer than it must.
   */
  #settleSoon(open: Open): void {
    open.settling ??= setImmediate(() => {
      open.settling = undefined;
      try {
        if (open.stale) return;
        if (open.journal.isDue) this.#settle(open);
        else open.parts.kept.settleIfMany();
      } catch {
        // The next commit tries it again, and is refused if it fails again. Who knows what was done of it.
        open.stale = true;
        open.settlingFailed = true;
      }
    });
  }

  /** Takes back a commit that failed, and forgets everything in memory that it may have changed. */
  #undo(open: Open): void {
    const { db, journal, parts, now } = open;
    // SQLite may have taken it back by itself.
    if (db.inTransaction) open.rollback.run();
    open.isInTransaction = false;
    const again = journal.unsettled();
    if (again.length > 0) {
      open.begin.run();
      open.isInTransaction = true;
      runAgain(db, again, journal.sqlOf);
    }
    parts.namespaces.reset();
    for (const part of [parts.unconfirmed, parts.kept, parts.timers, parts.events, parts.drainedWorkers]) part.reset();
    parts.queues.reset(now);
    parts.ages.reset();
    parts.passes.reset(now);
    parts.limits.reset(now);
    parts.order.reset();
    parts.tasks.reset();
    parts.started.reload((seq) => parts.tasks.find(seq), timeoutsOf, undefined);
    open.stale = false;
  }

  #opened(): Open {
    if (this.#open === undefined) throw new StoreError("unavailable", "the store is not open");
    return this.#open;
  }
}

function timeoutsOf(options: Buffer | null): TimeoutsRecord {
  return options === null ? {} : readOptions(options, "activity", null).timeouts;
}
