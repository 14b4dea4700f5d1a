import {
  attemptGraceUntil,
  defaultRetryPolicy,
  isDead,
  retentionMs,
  type ClosedState,
  type LeaseRef,
  type RetryPolicy,
  type TaskQueue,
  type TypeSet,
} from "@tq/matching-core";
import type { AnswerStatus, CancelStatus } from "../../operations.ts";
import type { BulkProgressRecord, TaskChange } from "../../operator-operations.ts";
import type { DispatchedTask, NewTask } from "../../records.ts";
import { bytes, newTask } from "../driver.ts";

/** A lease, as the model has it. */
export interface ModelLease {
  readonly leaseNo: number;
  readonly workerId: string;
  readonly pollId: string;
  readonly at: number;
  readonly leaseMs: number;
  until: number;
  graceUntil: number;
  cancelRequested: boolean;
}

/** A task, as the model has it. */
export interface ModelTask {
  /** As it was added; its queue, its type and where it falls back to change as it moves. */
  spec: NewTask & { readonly retryPolicy: RetryPolicy };
  run: number;
  addedAt: number;
  /** As the store numbers it; learned when it is first seen. */
  seq: number;
  state: "scheduled" | "ready" | "waiting" | "started" | ClosedState;
  dueAt: number | undefined;
  /** When it became ready. */
  since: number;
  /** Its turn among those that became ready. */
  place: number;
  /** It came back to its place, where others of its key may have been passed over meanwhile. */
  returned: boolean;
  attempts: number;
  returns: number;
  answered: number | undefined;
  lease: ModelLease | undefined;
  keptUntil: number | undefined;
  /** The type of its last failed attempt, in this run and in any; and of the failure that closed it. */
  lastFailure: string | undefined;
  lastFailureOfAll: string | undefined;
  closedBy: string | undefined;
}

/** What a bulk call does, and to which tasks. */
export interface ModelChange {
  readonly change: TaskChange;
  readonly matches: (task: ModelTask) => boolean;
  readonly limit: number;
}

/**
 * What the contract says, in the plainest way: maps and loops. It decides everything but which task a claim gets; of
 * that it knows what must not be.
 */
export class Model {
  readonly tasks = new Map<string, ModelTask>();
  /** Everyone in line for a serial key, by queue and key. */
  readonly #lines = new Map<string, ModelTask[]>();
  /** Queues in which this step made something claimable. */
  readonly touched = new Set<string>();
  /** Queues in which this step made a task ready that has a fallback. */
  readonly withFallback = new Set<string>();
  now = 0;
  #place = 0;

  /** A step begins. */
  begin(now: number): void {
    this.now = now;
    this.touched.clear();
    this.withFallback.clear();
  }

  get open(): ModelTask[] {
    return [...this.tasks.values()].filter((task) => isOpen(task));
  }

  get started(): ModelTask[] {
    return [...this.tasks.values()].filter((task) => task.lease !== undefined);
  }

  /** What adding this would answer: undefined if it is refused. */
  wouldAdd(spec: NewTask): { readonly id: string; readonly run: number; readonly existed: boolean } | undefined {
    const holder = this.tasks.get(spec.id);
    if (holder === undefined) return { id: spec.id, run: 1, existed: false };
    if (isOpen(holder)) return { id: spec.id, run: holder.run, existed: true };
    const allowed = spec.idPolicy === "allow" || (spec.idPolicy === "allow-if-dead" && isDeadTask(holder));
    return allowed ? { id: spec.id, run: holder.run + 1, existed: false } : undefined;
  }

  add(spec: NewTask): void {
    const added = this.wouldAdd(spec);
    if (added === undefined || added.existed) return;
    const task: ModelTask = {
      spec: { ...spec, retryPolicy: spec.retryPolicy ?? defaultRetryPolicy(spec.queue.kind) },
      run: added.run,
      addedAt: this.now,
      seq: -1,
      state: "scheduled",
      dueAt: spec.startDelayMs > 0 ? this.now + spec.startDelayMs : undefined,
      since: this.now,
      place: 0,
      returned: false,
      attempts: 0,
      returns: 0,
      answered: undefined,
      lease: undefined,
      keptUntil: undefined,
      lastFailure: undefined,
      lastFailureOfAll: undefined,
      closedBy: undefined,
    };
    this.tasks.set(spec.id, task);
    if (task.dueAt === undefined) this.#becomeReady(task);
  }

  /** A claim got this task. */
  grant(granted: DispatchedTask, to: { workerId: string; pollId: string; leaseMs: number }): void {
    const task = this.tasks.get(granted.id);
    if (task === undefined) throw new Error(`${granted.id} was dispatched, but is gone`);
    if (task.state !== "ready") throw new Error(`${granted.id} was dispatched, but is ${task.state}`);
    if (granted.attempt !== task.attempts + 1)
      throw new Error(`${granted.id} was dispatched as attempt ${granted.attempt}`);
    if (this.isOverdue(task)) throw new Error(`${granted.id} was dispatched past its deadline`);
    const { scheduleToCloseAt = Infinity, lastFailure } = granted;
    if (scheduleToCloseAt !== closesAt(task)) throw new Error(`${granted.id} was said to end at ${scheduleToCloseAt}`);
    if (lastFailure?.type !== task.lastFailure)
      throw new Error(`${granted.id} was dispatched after ${lastFailure?.type}, not ${task.lastFailure}`);
    task.state = "started";
    const lease = { leaseNo: granted.lease.leaseNo, at: this.now, until: this.now + to.leaseMs, graceUntil: 0 };
    task.lease = { ...to, ...lease, cancelRequested: false };
  }

  /** Whether a ready task waited too long to be dispatched. */
  isOverdue(task: ModelTask): boolean {
    return startsBy(task) <= this.now || closesAt(task) <= this.now;
  }

  /** What a claim must have got before any of these: throws if something was passed over. */
  checkOrder(queue: TaskQueue, types: TypeSet, granted: readonly DispatchedTask[]): void {
    const left = this.claimable(queue, types).filter((task) => !this.isOverdue(task));
    for (const { id } of granted) {
      const task = this.tasks.get(id);
      for (const other of left) {
        if (task === undefined) continue;
        const { spec } = task;
        const passedOver =
          other.spec.priority < spec.priority ||
          (other.spec.priority === spec.priority &&
            other.spec.fairnessKey === spec.fairnessKey &&
            (other.spec.type === spec.type || !task.returned) &&
            other.place < task.place);
        if (passedOver) throw new Error(`${id} was dispatched while ${other.spec.id} stood before it`);
      }
    }
  }

  /** What is placed in a queue, of these types. */
  claimable(queue: TaskQueue, types: TypeSet): ModelTask[] {
    return this.open.filter(
      ({ state, spec }) =>
        state === "ready" && spec.queue.name === queue.name && (types === null || types.includes(spec.type)),
    );
  }

  /** The task of a lease, if it is current. */
  current(lease: LeaseRef): ModelTask | undefined {
    return this.started.find((task) => task.seq === lease.seq && task.lease?.leaseNo === lease.leaseNo);
  }

  /** What an answer with a lease that is not current gets. */
  late(lease: LeaseRef): AnswerStatus {
    const task = [...this.tasks.values()].find((one) => one.seq === lease.seq);
    return { status: task?.answered === lease.leaseNo ? "already-answered" : "lease-lost" };
  }

  complete(task: ModelTask, leaseNo: number): void {
    task.attempts += 1;
    task.answered = leaseNo;
    this.#close(task, "completed");
  }

  fail(
    task: ModelTask,
    how: {
      type: string;
      answered: number | undefined;
      nonRetryable?: boolean;
      delayMs?: number;
      isTimeout?: boolean;
    },
  ): void {
    const { retryPolicy } = task.spec;
    const asked = task.lease?.cancelRequested === true;
    task.attempts += 1;
    task.lastFailureOfAll = how.type;
    task.answered = how.answered ?? task.answered;
    if (asked) this.#close(task, "canceled", how.answered === undefined ? "Canceled" : how.type);
    else if (
      how.nonRetryable === true ||
      (retryPolicy.maximumAttempts > 0 && task.attempts >= retryPolicy.maximumAttempts)
    ) {
      this.#close(task, how.isTimeout === true ? "timed-out" : "failed", how.type);
    } else {
      const grown = retryPolicy.initialIntervalMs * retryPolicy.backoffCoefficient ** (task.attempts - 1);
      task.lease = undefined;
      task.lastFailure = how.type;
      task.returns = 0;
      task.dueAt = this.now + (how.delayMs ?? Math.min(grown, retryPolicy.maximumIntervalMs));
      task.state = "scheduled";
      if (task.dueAt <= this.now) this.promote(task);
    }
  }

  giveBack(
    task: ModelTask,
    why: "released" | "released-to-fallback" | "undelivered" | "unconfirmed" | "revoked",
  ): void {
    const isRelease = why === "released" || why === "released-to-fallback";
    const leaseNo = task.lease?.leaseNo;
    if (why === "unconfirmed" && task.returns === 3) {
      this.fail(task, { type: "Undelivered", answered: undefined });
      return;
    }
    const isToNowhere = why === "released-to-fallback" && task.spec.fallback === undefined;
    if (isToNowhere && task.lease?.cancelRequested !== true) {
      this.fail(task, { type: "NoFallback", answered: leaseNo });
      return;
    }
    if (isRelease) task.answered = leaseNo;
    if (task.lease?.cancelRequested === true) {
      this.#close(task, "canceled", "Canceled");
      return;
    }
    task.returns = isRelease ? 0 : task.returns + (why === "unconfirmed" ? 1 : 0);
    // The time in which it was started does not count as waiting.
    task.since += this.now - (task.lease?.at ?? this.now);
    task.lease = undefined;
    if (why === "released-to-fallback" && task.spec.fallback !== undefined) {
      this.fallBack(task);
      return;
    }
    task.state = "ready";
    task.returned = true;
    this.touched.add(task.spec.queue.name);
    this.#noteFallback(task);
  }

  /** A task is past its schedule-to-start or its schedule-to-close. */
  timeOut(task: ModelTask): void {
    if (closesAt(task) <= this.now) {
      if (task.lease?.cancelRequested === true) this.#close(task, "canceled", "Canceled");
      else this.#close(task, "timed-out", "ScheduleToClose");
    } else if (task.spec.fallback !== undefined) this.fallBack(task);
    else this.#close(task, "timed-out", "ScheduleToStart");
  }

  /** A task that is not started goes to its fallback. */
  fallBack(task: ModelTask): void {
    const { fallback, ...spec } = task.spec;
    if (fallback === undefined) throw new Error(`${spec.id} has no fallback`);
    const { scheduleToStartMs: _, ...timeouts } = spec.timeouts;
    this.#leaveLine(task);
    const { queueName: name, type = spec.type, input = spec.input } = fallback;
    task.spec = { ...spec, queue: { ...spec.queue, name }, type, input, timeouts };
    this.#standReady(task);
  }

  /** Carries out a bulk call, in order of adding. Answers how many it looked at, changed and skipped. */
  changeAll(candidates: readonly ModelTask[], { change, matches, limit }: ModelChange): BulkProgressRecord {
    let [examined, changed, skipped] = [0, 0, 0];
    for (const task of candidates.toSorted((a, b) => a.seq - b.seq)) {
      if (changed >= limit) break;
      examined += 1;
      if (!matches(task)) continue;
      if (this.#change(task, change)) changed += 1;
      else skipped += 1;
    }
    return { examined, changed, skipped };
  }

  /** Does it, if it can be done. */
  #change(task: ModelTask, change: TaskChange): boolean {
    const isStarted = task.lease !== undefined;
    switch (change.kind) {
      case "purge":
        if (isOpen(task)) this.#close(task, "canceled", "Canceled", change.silent);
        else this.tasks.delete(task.spec.id);
        return true;
      case "move": {
        const { name, kind } = task.spec.queue;
        if (!isOpen(task) || isStarted || kind !== change.to.kind || name === change.to.name) return false;
        this.#leaveLine(task);
        task.spec = { ...task.spec, queue: change.to };
        if (task.dueAt === undefined) this.#standReady(task);
        return true;
      }
      case "redrive":
        if (!isDeadTask(task)) return false;
        Object.assign(task, { run: task.run + 1, seq: -1, addedAt: this.now, attempts: 0, returns: 0 });
        Object.assign(task, { answered: undefined, keptUntil: undefined, lastFailure: undefined, closedBy: undefined });
        this.#becomeReady(task);
        return true;
      case "release":
        if (!isStarted) return false;
        this.giveBack(task, "revoked");
        return true;
    }
  }

  cancel(id: string, force: boolean): CancelStatus {
    const task = this.tasks.get(id);
    if (task === undefined) return "not-found";
    if (!isOpen(task)) return "already-closed";
    if (task.lease !== undefined && !force) {
      task.lease.cancelRequested = true;
      return "requested";
    }
    this.#close(task, "canceled", "Canceled");
    return "canceled";
  }

  /** The delay or back-off of a task is over. */
  promote(task: ModelTask): void {
    task.dueAt = undefined;
    const line = this.#line(task);
    if (line?.includes(task) === true) {
      task.since = this.now;
      this.#noteFallback(task);
      this.#put(task);
    } else this.#becomeReady(task);
  }

  /** Closed tasks whose time is over go. */
  sweep(): void {
    for (const [id, { keptUntil }] of this.tasks) {
      if (keptUntil !== undefined && keptUntil <= this.now) this.tasks.delete(id);
    }
  }

  /** The server came back. */
  restarted(): void {
    for (const { lease } of this.started) {
      if (lease === undefined) continue;
      lease.graceUntil = attemptGraceUntil(lease.leaseMs, this.now);
      lease.until = this.now + lease.leaseMs;
    }
  }

  #becomeReady(task: ModelTask): void {
    task.since = this.now;
    this.#standReady(task);
  }

  /** It is placed, or stands in line for its serial key. */
  #standReady(task: ModelTask): void {
    this.#noteFallback(task);
    const line = this.#line(task);
    line?.push(task);
    if (line === undefined || line[0] === task) this.#put(task);
    else task.state = "waiting";
  }

  #noteFallback({ spec }: ModelTask): void {
    if (spec.fallback !== undefined) this.withFallback.add(spec.queue.name);
  }

  #put(task: ModelTask): void {
    this.#place += 1;
    task.place = this.#place;
    task.state = "ready";
    task.returned = false;
    this.touched.add(task.spec.queue.name);
  }

  #close(task: ModelTask, state: ClosedState, closedBy?: string, silent = false): void {
    const { spec } = task;
    task.state = state;
    task.closedBy = closedBy;
    task.lease = undefined;
    task.dueAt = undefined;
    const keepMs = retentionMs(state, spec.retentionMs, {});
    task.keptUntil = this.now + keepMs;
    if (keepMs === 0) this.tasks.delete(spec.id);
    this.#leaveLine(task);
    if (spec.onClose === undefined || silent) return;
    const { queueName, type, serialKey } = spec.onClose;
    const own = `${spec.id}/closed/${task.run}`;
    this.add(
      newTask({
        id: this.tasks.has(own) ? `${own}/${task.seq}` : own,
        queue: { ...spec.queue, name: queueName, kind: "workflow" },
        type,
        input: bytes(""),
        ...(serialKey !== undefined && { serialKey }),
        timeouts: { startToCloseMs: 10_000 },
        retryPolicy: defaultRetryPolicy("workflow"),
      }),
    );
  }

  #leaveLine(task: ModelTask): void {
    const line = this.#line(task);
    const at = line?.indexOf(task) ?? -1;
    if (line === undefined || at === -1) return;
    line.splice(at, 1);
    const [next] = line;
    if (at === 0 && next !== undefined) this.#put(next);
  }

  #line({ spec }: ModelTask): ModelTask[] | undefined {
    if (spec.serialKey === undefined) return undefined;
    const key = `${spec.queue.name}/${spec.queue.kind}/${spec.serialKey}`;
    let line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, (line = []));
    return line;
  }
}

/** When it must have been dispatched, if it is ready; Infinity: there is no such time. */
export function startsBy({ since, spec }: ModelTask): number {
  const { scheduleToStartMs = 0 } = spec.timeouts;
  return scheduleToStartMs === 0 ? Infinity : since + scheduleToStartMs;
}

/** When the task as a whole times out, but for the grace after a restart; Infinity: never. */
export function closesAt({ addedAt, spec }: ModelTask): number {
  const { scheduleToCloseMs = 0 } = spec.timeouts;
  return scheduleToCloseMs === 0 ? Infinity : addedAt + scheduleToCloseMs;
}

/** Whether it is not closed. */
export function isOpen({ state }: ModelTask): boolean {
  return state === "scheduled" || state === "ready" || state === "waiting" || state === "started";
}

/** Whether it is closed, and dead. */
export function isDeadTask({ state }: ModelTask): boolean {
  return (state === "failed" || state === "timed-out") && isDead(state);
}
