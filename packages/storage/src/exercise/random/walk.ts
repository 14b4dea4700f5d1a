import { requestRetentionMs, type LeaseRef, type TaskQueue } from "@tq/matching-core";
import { expect } from "vitest";
import type { Answer, AnswerStatus, CommandRecord, Operation } from "../../operations.ts";
import type { ChangeTasksOperation } from "../../operator-operations.ts";
import type { NewTask } from "../../records.ts";
import { failure, newTask, type Driver } from "../driver.ts";
import { randomChange, randomFilter } from "./changes.ts";
import { agree, compare } from "./comparison.ts";
import type { Dice } from "./dice.ts";
import { closesAt, isOpen, Model, startsBy, type ModelTask } from "./model.ts";
import { brief, queues, randomTask, types } from "./tasks.ts";

const workers = ["w1", "w2", "w3"];

/** One random walk through a store's life, each step compared with the model. */
export class Walk {
  readonly #d: Driver;
  readonly #dice: Dice;
  readonly #model = new Model();
  /** Every lease that was ever granted. */
  readonly #leases: LeaseRef[] = [];
  /** Every id that was ever used. */
  readonly #ids = new Set<string>();
  /** What was done, for whoever has to find out why. */
  readonly trace: string[] = [];
  #lastAdd: { readonly at: number; readonly operation: Operation; readonly result: unknown } | undefined;
  #n = 0;

  constructor(driver: Driver, dice: Dice) {
    this.#d = driver;
    this.#dice = dice;
  }

  /** Does something, and compares. */
  async step(): Promise<void> {
    const dice = this.#dice;
    if (dice.once(8)) this.#lateness();
    const roll = dice.below(110);
    if (roll < 24) await this.#add();
    else if (roll < 46) await this.#claim();
    else if (roll < 64) await this.#answer();
    else if (roll < 69) await this.#return();
    else if (roll < 76) await this.#cancel();
    else if (roll < 80) await this.#renew();
    else if (roll < 83) await this.#repoll();
    else if (roll < 94) await this.#passTime();
    else if (roll < 97) await this.#restart();
    else if (roll < 100) await this.#fail();
    else if (roll < 102) await this.#fallBack();
    else await this.#change();
    for (const id of this.#model.tasks.keys()) this.#ids.add(id);
    await compare(this.#d, this.#model, [...this.#ids]);
    this.#checkDue();
  }

  /** Time passes, and nobody sees to what has fallen due. */
  #lateness(): void {
    this.#d.now += 100 * this.#dice.below(15);
    this.trace.push(`it is ${this.#d.now}`);
  }

  /** The store wants to be asked again no later than the first deadline, give or take a bucket. */
  #checkDue(): void {
    const ends = this.#model.open.map((task) => (task.lease === undefined ? waitsUntil(task) : endsAt(task)));
    const first = Math.min(...ends);
    const { expire = Infinity } = this.#d.nextDue;
    if (first < Infinity && expire > first + 100)
      throw new Error(`a deadline is at ${first}, but the next at ${expire}`);
  }

  async #add(): Promise<void> {
    const dice = this.#dice;
    const tasks = Array.from({ length: 1 + dice.below(4) }, () => this.#someTask());
    const last = this.#lastAdd;
    const repeated =
      dice.once(6) && last !== undefined && last.at + requestRetentionMs > this.#d.now ? last : undefined;
    const unique = tasks.every((task, i) => tasks.findIndex((one) => one.id === task.id) === i);
    if (!unique || repeated !== undefined) {
      if (repeated === undefined) return;
      this.trace.push("repeat the last add");
      this.#model.begin(this.#d.now);
      agree("a repeated add", await this.#d.run(repeated.operation), repeated.result);
      return;
    }
    this.trace.push(`add ${tasks.map(brief).join(" ")}`);
    this.#model.begin(this.#d.now);
    const expected = tasks.map((task) => this.#model.wouldAdd(task));
    const refusedAt = expected.indexOf(undefined);
    const request = { namespace: "default", id: `r${this.#n++}` };
    const operation: Operation = { verb: "add", tasks, request };
    if (refusedAt === -1) for (const task of tasks) this.#model.add(task);
    const result = await this.#run(operation);
    if (refusedAt === -1) {
      agree("the add", result, { verb: "add", added: expected });
      for (const { id } of tasks) this.#ids.add(id);
      this.#lastAdd = { at: this.#d.now, operation, result };
    } else {
      expect(result).toMatchObject({ verb: "add", refused: { reason: "task-id-taken", index: refusedAt } });
    }
  }

  async #claim(): Promise<void> {
    const dice = this.#dice;
    const queue = dice.of(queues);
    const wanted = dice.once(2) ? null : dice.some([...types, "closed"]);
    const offers = Array.from({ length: 1 + dice.below(2) }, () => ({
      workerId: dice.of(workers),
      pollId: dice.of(["", `p${this.#n++}`]),
      leaseMs: 1_000 + 500 * dice.below(6),
      slots: 1 + dice.below(4),
      maxBytes: 1e9,
    }));
    this.trace.push(
      `claim ${queue.name} of ${wanted?.join("") ?? "all"} for ${offers.map((one) => one.slots).join("+")}`,
    );
    this.#model.begin(this.#d.now);
    const overdueNow = () => this.#model.claimable(queue, wanted).filter((task) => this.#model.isOverdue(task));
    // Which of several a claim meets first is the store's to know.
    if (overdueNow().length > 1) await this.#expire();
    this.#model.begin(this.#d.now);
    const [overdue, ...others] = overdueNow();
    if (others.length > 0) return;
    const { granted, claims, touched } = await this.#d.commit([], () => ({
      offers,
      claims: [{ queue, types: wanted, offers: offers.map((_, i) => i) }],
    }));
    const all = granted.flat();
    granted.forEach((tasks, i) => {
      const offer = offers[i];
      if (offer === undefined) throw new Error("an offer too many was granted something");
      if (tasks.length > offer.slots) throw new Error(`${tasks.length} tasks for ${offer.slots} slots`);
      for (const task of tasks) {
        this.#model.grant(task, offer);
        this.#leases.push(task.lease);
        this.trace.push(`  got ${task.id} under ${task.lease.leaseNo}`);
      }
    });
    this.#model.checkOrder(queue, wanted, all);
    const slots = offers.reduce((sum, offer) => sum + offer.slots, 0);
    const left = this.#model.claimable(queue, wanted).filter((task) => !this.#model.isOverdue(task));
    const dry = claims[0]?.dry;
    if (all.length < slots || dry === true)
      agree("what is left", { left: left.map(({ spec }) => spec.id), dry }, { left: [], dry: true });
    if (overdue === undefined) return;
    const [record] = await this.#d.store.getTasks("default", [overdue.spec.id]);
    // Met by the claim, or behind what it took.
    if (record?.state === "ready" && record.queue.name === queue.name) return;
    this.trace.push(`  met ${overdue.spec.id} too late`);
    this.#model.timeOut(overdue);
    this.#checkTouched(touched);
  }

  async #answer(): Promise<void> {
    const dice = this.#dice;
    const { started } = this.#model;
    this.#model.begin(this.#d.now);
    const answers: Answer[] = [];
    const expected: AnswerStatus[] = [];
    for (let n = 1 + dice.below(3); n > 0; n--) {
      const task = started.length > 0 && !dice.once(4) ? dice.of(started) : undefined;
      const lease = task?.lease ? { seq: task.seq, leaseNo: task.lease.leaseNo } : this.#anyLease();
      if (lease === undefined) continue;
      const current = this.#model.current(lease);
      const answer = this.#someAnswer(lease);
      this.trace.push(`answer ${lease.seq}/${lease.leaseNo} ${answer.kind}`);
      answers.push(answer);
      if (current === undefined) expected.push(this.#model.late(lease));
      else {
        this.#apply(current, answer);
        expected.push({ status: "accepted" });
      }
    }
    const result = await this.#run({ verb: "answer", namespace: "default", answers });
    agree("the answer", result, { verb: "answer", statuses: expected });
  }

  #someAnswer(lease: LeaseRef): Answer {
    const dice = this.#dice;
    switch (dice.below(6)) {
      case 0:
        return { lease, kind: "failed", failure: failure("Bad", { nonRetryable: true }) };
      case 1:
        return {
          lease,
          kind: "failed",
          failure: failure("Boom", dice.once(2) ? { nextRetryDelayMs: 100 * dice.below(3) } : {}),
        };
      case 2:
        return { lease, kind: "canceled", failure: failure("Canceled") };
      case 3:
        return { lease, kind: "released", reason: "", toFallback: dice.once(2) };
      default: {
        const commands: CommandRecord[] = [];
        // The others are answered without.
        if (this.#model.current(lease)?.spec.queue.kind !== "workflow") return { lease, kind: "completed", commands };
        if (dice.once(3)) commands.push({ command: "add", task: randomTask(dice, `c${this.#n++}`) });
        if (dice.once(3)) commands.push({ command: "cancel", id: this.#anyId(), reason: "" });
        return { lease, kind: "completed", commands };
      }
    }
  }

  #apply(task: ModelTask, answer: Answer): void {
    const { leaseNo } = answer.lease;
    switch (answer.kind) {
      case "completed":
        for (const command of answer.commands) {
          if (command.command === "cancel") this.#model.cancel(command.id, false);
          else {
            this.#model.add(command.task);
            this.#ids.add(command.task.id);
          }
        }
        this.#model.complete(task, leaseNo);
        break;
      case "failed": {
        const { type, nonRetryable, nextRetryDelayMs: delayMs } = answer.failure;
        this.#model.fail(task, { type, answered: leaseNo, nonRetryable, ...(delayMs !== undefined && { delayMs }) });
        break;
      }
      case "canceled":
        this.#model.fail(task, { type: answer.failure.type, answered: leaseNo });
        break;
      case "released":
        this.#model.giveBack(task, answer.toFallback ? "released-to-fallback" : "released");
        break;
    }
  }

  async #return(): Promise<void> {
    const dice = this.#dice;
    const why = dice.of(["undelivered", "unconfirmed"] as const);
    this.#model.begin(this.#d.now);
    const leases = dice.some(this.#leases.slice(-4));
    this.trace.push(`return ${leases.map((lease) => lease.leaseNo).join(" ")} ${why}`);
    let returned = 0;
    for (const lease of leases) {
      const task = this.#model.current(lease);
      if (task === undefined) continue;
      this.#model.giveBack(task, why);
      returned += 1;
    }
    agree("the return", await this.#run({ verb: "return", leases, why }), { verb: "return", returned });
  }

  async #cancel(): Promise<void> {
    const ids = Array.from({ length: 1 + this.#dice.below(2) }, () => this.#anyId());
    const force = this.#dice.once(3);
    this.trace.push(`cancel ${ids.join(" ")}${force ? " with force" : ""}`);
    this.#model.begin(this.#d.now);
    const statuses = ids.map((id) => this.#model.cancel(id, force));
    const operation: Operation = { verb: "cancel", namespace: "default", ids, force, reason: "" };
    agree("the cancel", await this.#run(operation), { verb: "cancel", statuses });
  }

  async #renew(): Promise<void> {
    const workerId = this.#dice.of(workers);
    const leases = this.#dice.some(this.#leases.slice(-6));
    this.trace.push(`renew ${leases.map((lease) => lease.leaseNo).join(" ")} of ${workerId}`);
    this.#model.begin(this.#d.now);
    const own = (lease: LeaseRef) => {
      const task = this.#model.current(lease);
      return task?.lease?.workerId === workerId ? task.lease : undefined;
    };
    const operation: Operation = { verb: "renew", namespace: "default", workerId, leases, heartbeats: [] };
    const { lost, cancels } = await this.#d.run(operation);
    agree(
      "lost",
      lost,
      leases.filter((lease) => own(lease) === undefined),
    );
    agree(
      "cancels",
      cancels.map(({ lease }) => lease.leaseNo).toSorted((a, b) => a - b),
      // Of all its tasks, whether or not it names them.
      this.#model.started
        .flatMap(({ lease }) => (lease?.workerId === workerId && lease.cancelRequested ? [lease.leaseNo] : []))
        .toSorted((a, b) => a - b),
    );
    for (const lease of leases.map(own))
      if (lease !== undefined) lease.until = Math.max(lease.until, this.#d.now + lease.leaseMs);
  }

  async #repoll(): Promise<void> {
    const task = this.#model.started.find((one) => one.lease?.pollId !== "");
    if (task?.lease === undefined) return;
    const { workerId, pollId } = task.lease;
    this.trace.push(`repoll ${pollId} of ${workerId}`);
    this.#model.begin(this.#d.now);
    const same = this.#model.started.filter((one) => one.lease?.pollId === pollId && one.lease.workerId === workerId);
    const { tasks } = await this.#d.run({ verb: "repoll", namespace: "default", workerId, pollId, maxBytes: 1e9 });
    const leaseNos = (nos: readonly (number | undefined)[]) => nos.toSorted((a = 0, b = 0) => a - b);
    agree(
      "the repoll",
      leaseNos(tasks.map((one) => one.lease.leaseNo)),
      leaseNos(same.map((one) => one.lease?.leaseNo)),
    );
    for (const { lease } of same) if (lease) lease.until = Math.max(lease.until, this.#d.now + lease.leaseMs);
  }

  async #passTime(): Promise<void> {
    this.#d.now += 100 * this.#dice.of([1, 5, 10, 20, 50, 36_000, 200 * 36_000]);
    const { now } = this.#d;
    this.trace.push(`now ${now}`);
    this.#model.begin(now);
    const due = this.#model.open.filter((task) => task.dueAt !== undefined && task.dueAt <= now);
    for (const task of due.toSorted((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.seq - b.seq))
      this.#model.promote(task);
    agree("promote", await this.#run({ verb: "promote", limit: 1_000 }), { verb: "promote", promoted: due.length });

    await this.#expire();
    if (this.#dice.once(2)) return;
    this.#model.begin(now);
    this.#model.sweep();
    await this.#run({ verb: "sweep", limit: 1_000 });
  }

  async #expire(): Promise<void> {
    const model = this.#model;
    const { now } = this.#d;
    model.begin(now);
    const over = model.started.filter((task) => endsAt(task) <= now);
    over.sort((a, b) => endsAt(a) - endsAt(b) || a.seq - b.seq);
    let timedOut = 0;
    for (const task of over) {
      if (lifeEndsAt(task) <= now) {
        model.timeOut(task);
        timedOut += 1;
        continue;
      }
      const isTimeout = attemptEndsAt(task) <= now;
      model.fail(task, { type: isTimeout ? "StartToClose" : "WorkerLost", answered: undefined, isTimeout });
    }
    const expired = over.length - timedOut;
    for (const deadline of [closesAt, startDeadline]) {
      const late = model.open.filter((task) => task.lease === undefined && deadline(task) <= now);
      late.sort((a, b) => deadline(a) - deadline(b) || a.seq - b.seq);
      for (const task of late) model.timeOut(task);
      timedOut += late.length;
    }
    this.trace.push(`expire ${expired} and ${timedOut}`);
    agree("expire", await this.#run({ verb: "expire", limit: 1_000 }), { verb: "expire", expired, timedOut });
  }

  async #fallBack(): Promise<void> {
    const queue = this.#dice.of(queues);
    const limit = 1 + this.#dice.below(3);
    this.trace.push(`${limit} of ${queue.name} fall back`);
    this.#model.begin(this.#d.now);
    const waiting = this.#model.open
      .filter(({ spec, state }) => spec.queue.name === queue.name && spec.fallback && isReady(state))
      .toSorted((a, b) => a.seq - b.seq);
    const moving = waiting.slice(0, limit);
    for (const task of moving) this.#model.fallBack(task);
    const moved = moving.length;
    const more = waiting.length > moved;
    agree("the fallback", await this.#run({ verb: "fall-back", queue, limit }), { verb: "fall-back", moved, more });
  }

  /** A bulk call, chunk by chunk. */
  async #change(): Promise<void> {
    const dice = this.#dice;
    const change = randomChange(dice);
    const { filter, matches } = randomFilter(dice, this.#ids.size > 0 ? [...this.#ids] : ["nobody"]);
    const limit = dice.once(4) ? 1 + dice.below(3) : undefined;
    const dryRun = dice.once(6);
    const request = dice.once(2) ? { request: { namespace: "default", id: `r${this.#n++}` } } : {};
    const examine = dice.of([1, 3, 100]);
    this.trace.push(`${dryRun ? "would " : ""}${JSON.stringify(change)} ${JSON.stringify(filter)} up to ${limit}`);
    this.#model.begin(this.#d.now);
    const candidates = [...this.#model.tasks.values()].filter(({ spec }) => filter.ids?.includes(spec.id) ?? true);
    const progress = dryRun
      ? undefined
      : this.#model.changeAll(candidates, { change, matches, limit: limit ?? Infinity });
    const touched = new Map<string, TaskQueue>();
    const first: ChangeTasksOperation = {
      verb: "change-tasks",
      namespace: "default",
      action: { actor: "alice", reason: "", call: "Test", request: "{}" },
      filter,
      change,
      dryRun,
      examine,
      ...(limit !== undefined && { limit }),
      ...request,
    };
    let operation = first;
    for (let chunks = 0; ; chunks++) {
      if (chunks > 1_000) throw new Error("the change does not end");
      const committed = await this.#d.commit([operation], (queuesTouched) => {
        for (const [key, queue] of queuesTouched) touched.set(key, queue);
        return { offers: [], claims: [] };
      });
      const [result] = committed.results;
      if (result?.verb !== "change-tasks" || "refused" in result) throw new Error(`answered ${JSON.stringify(result)}`);
      if (result.next !== undefined) {
        operation = { ...first, cursor: result.next };
        continue;
      }
      if (progress !== undefined) agree("the progress", result.progress, progress);
      break;
    }
    this.#checkTouched(touched);
    if (progress !== undefined && first.request !== undefined) {
      agree("a repeated change", await this.#d.run(first), { verb: "change-tasks", progress });
    }
  }

  async #restart(): Promise<void> {
    const how = this.#dice.of(["reopen", "crash"] as const);
    const afterMs = 100 * this.#dice.below(30);
    this.trace.push(`${how} after ${afterMs}`);
    await this.#d[how](afterMs);
    this.#model.begin(this.#d.now);
    this.#model.restarted();
  }

  /** A commit that fails must have done nothing. */
  async #fail(): Promise<void> {
    this.trace.push("a commit fails");
    const lease = this.#anyLease();
    const operations: Operation[] = [
      {
        verb: "add",
        tasks: [newTask({ id: "never", queue: this.#dice.of(queues), serialKey: "s1", fairnessKey: "k1" })],
      },
      {
        verb: "cancel",
        namespace: "default",
        ids: [this.#anyId(), this.#anyId()],
        force: this.#dice.once(2),
        reason: "",
      },
      { verb: "expire", limit: 10 },
      { verb: "sweep", limit: 10 },
    ];
    if (lease) operations.push({ verb: "answer", namespace: "default", answers: [this.#someAnswer(lease)] });
    const plan = () => {
      throw new Error("no plan");
    };
    await expect(this.#d.commit(this.#dice.some(operations), plan)).rejects.toThrow("no plan");
    await this.#d.home.checkInvariants?.(this.#d.store);
  }

  /** Carries an operation out, and sees that every queue where something became claimable is named to the plan. */
  async #run(operation: Operation): Promise<unknown> {
    const { results, withFallback } = await this.#d.commit([operation], (touched) => {
      this.#checkTouched(touched);
      return { offers: [], claims: [] };
    });
    const told = new Set([...withFallback.values()].map((queue) => queue.name));
    for (const name of this.#model.withFallback)
      if (!told.has(name)) throw new Error(`nobody was told that tasks of ${name} have a fallback`);
    return results[0];
  }

  #checkTouched(touched: ReadonlyMap<string, TaskQueue>): void {
    const names = new Set([...touched.values()].map((queue) => queue.name));
    for (const name of this.#model.touched) if (!names.has(name)) throw new Error(`queue ${name} was not touched`);
  }

  #anyLease(): LeaseRef | undefined {
    return this.#leases.length === 0 ? undefined : this.#dice.of(this.#leases);
  }

  #anyId(): string {
    const open = [...this.#model.tasks.values()].filter((task) => isOpen(task)).map(({ spec }) => spec.id);
    return this.#dice.of([...open, ...open, ...this.#ids, "nobody"]);
  }

  #someTask(): NewTask {
    const id = this.#dice.once(5) && this.#ids.size > 0 ? this.#dice.of([...this.#ids]) : `t${this.#n++}`;
    return randomTask(this.#dice, id);
  }
}

/** When its lease, its attempt or its whole life ends. */
function endsAt(task: ModelTask): number {
  return Math.min(task.lease?.until ?? Infinity, attemptEndsAt(task), lifeEndsAt(task));
}

/** When the attempt has taken too long. */
function attemptEndsAt({ lease, spec }: ModelTask): number {
  if (lease === undefined) return Infinity;
  const { startToCloseMs = 0 } = spec.timeouts;
  return Math.max(lease.graceUntil, startToCloseMs === 0 ? Infinity : lease.at + startToCloseMs);
}

/** When a started task has taken too long in all. */
function lifeEndsAt(task: ModelTask): number {
  return Math.max(task.lease?.graceUntil ?? 0, closesAt(task));
}

/** When a ready task has waited too long. */
function startDeadline(task: ModelTask): number {
  return isReady(task.state) ? startsBy(task) : Infinity;
}

function waitsUntil(task: ModelTask): number {
  return Math.min(closesAt(task), startDeadline(task));
}

function isReady(state: ModelTask["state"]): boolean {
  return state === "ready" || state === "waiting";
}
