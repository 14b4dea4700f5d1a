import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { TaskQueue, TypeSet } from "@tq/matching-core";
import type { ClaimOrder, Committed, DispatchedTask, NewTask, Operation, ShardLease, Store } from "@tq/storage";

/** The queue that everything is measured on. */
export const queue: TaskQueue = { namespace: "default", name: "bench", kind: "activity" };

const input = new Uint8Array(256).fill(7);
const nothing: ClaimOrder = { offers: [], claims: [] };

/** One measured stretch. */
export interface Rate {
  readonly tasks: number;
  readonly perSecond: number;
  readonly slowestCommitMs: number;
  /** Of the processor, user and system, for each task. */
  readonly cpuMicroseconds: number;
}

/** A task with a body of 256 bytes. */
export function benchTask(id: number, more: Partial<NewTask> = {}): NewTask {
  return {
    id: `0198f1a2-${String(id).padStart(12, "0")}`,
    queue,
    type: "t",
    input,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 1,
    startDelayMs: 0,
    timeouts: {},
    idPolicy: "reject",
    ...more,
  };
}

/** Drives a store through its contract, so many operations a commit. The time of the store is counted, not waited for. */
export class StoreBench {
  readonly #store: Store;
  readonly #batch: number;
  readonly #lease: ShardLease;
  #now: number;
  #nextPromote: number | undefined;
  #slowestMs = 0;

  private constructor(store: Store, batch: number, lease: ShardLease, now: number) {
    this.#store = store;
    this.#batch = batch;
    this.#lease = lease;
    this.#now = now;
  }

  static async open(store: Store, batch: number): Promise<StoreBench> {
    const { lease, now } = await store.open(1_700_000_000_000);
    const bench = new StoreBench(store, batch, lease, now);
    // Tasks are removed as they complete.
    await bench.configure({ completedRetentionMs: 0, deadRetentionMs: 0 });
    return bench;
  }

  async configure(to: object): Promise<void> {
    const { results } = await this.#commit([
      {
        verb: "configure",
        queue,
        fields: Object.keys(to) as never,
        to: { fairnessKeys: new Map(), ...to },
        action: { actor: "bench", reason: "", call: "UpdateTaskQueueConfig", request: "{}" },
      },
    ]);
    // Without its limits a case would measure something else, and look the better for it.
    if (results[0] === undefined || "refused" in results[0]) throw new Error(JSON.stringify(results[0]));
  }

  /** Adds so many tasks. */
  async add(count: number, task: (i: number) => NewTask): Promise<Rate> {
    return this.#measure(async () => {
      for (let i = 0; i < count; i += this.#batch) {
        const tasks = Array.from({ length: Math.min(this.#batch, count - i) }, (_, j) => task(i + j));
        const { results } = await this.#commit([{ verb: "add", tasks }]);
        if (results[0] === undefined || "refused" in results[0]) throw new Error(JSON.stringify(results[0]));
        this.#now += 1;
      }
      return count;
    });
  }

  /** Claims and completes until there is nothing more, or so many are done. */
  async drain(count: number, types: TypeSet): Promise<Rate> {
    return this.#measure(async () => {
      let done = 0;
      for (let held = await this.claim(types, []); held.length > 0; held = await this.claim(types, held)) {
        done += held.length;
        if (done < count) continue;
        await this.#commit([this.#complete(held)]);
        break;
      }
      return done;
    });
  }

  /** One commit: completes these, and claims the next. */
  async claim(types: TypeSet, complete: readonly DispatchedTask[]): Promise<readonly DispatchedTask[]> {
    const operations: Operation[] = [];
    if (this.#nextPromote !== undefined && this.#nextPromote <= this.#now) {
      operations.push({ verb: "promote", limit: 1_000 });
    }
    if (complete.length > 0) operations.push(this.#complete(complete));
    const offer = { workerId: "w", pollId: "p", leaseMs: 30_000, slots: this.#batch, maxBytes: 1e9 };
    const { granted } = await this.#commit(operations, { offers: [offer], claims: [{ queue, types, offers: [0] }] });
    this.#now += 5;
    return granted[0] ?? [];
  }

  #complete(tasks: readonly DispatchedTask[]): Operation {
    const answers = tasks.map(({ lease }) => ({ lease, kind: "completed" as const, commands: [] }));
    return { verb: "answer", namespace: queue.namespace, answers };
  }

  async #measure(run: () => Promise<number>): Promise<Rate> {
    this.#slowestMs = 0;
    const begin = performance.now();
    const cpu = process.cpuUsage();
    const tasks = await run();
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - begin) / 1_000;
    return {
      tasks,
      perSecond: Math.round(tasks / seconds),
      slowestCommitMs: Math.round(this.#slowestMs),
      cpuMicroseconds: Math.round((10 * (user + system)) / tasks) / 10,
    };
  }

  async #commit(operations: readonly Operation[], order: ClaimOrder = nothing): Promise<Committed> {
    const begin = performance.now();
    const committed = await this.#store.commit({ lease: this.#lease, now: this.#now, operations, plan: () => order });
    await committed.durable;
    // In a server as well the event loop goes on, and settles, before the next: what that takes, the next commit waits for.
    await eventLoopTurn();
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - begin);
    this.#nextPromote = committed.nextDue.promote;
    return committed;
  }
}
