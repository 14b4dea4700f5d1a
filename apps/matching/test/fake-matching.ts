import { everything, taskQueueKey, type LiveWorker, type TaskQueue } from "@tq/matching-core";
import {
  emptyTaskQueue,
  type AddOperation,
  type AddResult,
  type AnswerOperation,
  type AnswerOperationResult,
  type CancelOperation,
  type BackupProgress,
  type CancelResult,
  type DispatchedTask,
  type DrainWorkerOperation,
  type DrainWorkerResult,
  type EventRecord,
  type HeldTaskRecord,
  type NamespaceDescription,
  type NamespaceRecord,
  type OperationResult,
  type Page,
  type ResultOf,
  type StoreReader,
  type TaskFilter,
  type TaskQueueRecord,
  type TaskRecord,
  type NoteOperation,
  type NoteResult,
} from "@tq/storage";
import type {
  HeartbeatCall,
  Matching,
  OperatorOperation,
  PollCall,
  PollReply,
  QueueActivity,
  RenewCall,
  RenewReply,
  WaitCall,
} from "../src/matching/matching.ts";

/** The present time of a fake server: 14 November 2023. */
export const fakeNow = 1_700_000_000_000;

/** An empty answer to a poll. */
export const emptyPoll: Extract<PollReply, { kind: "answered" }> = {
  kind: "answered",
  tasks: [],
  statuses: [],
  registrationsWanted: false,
  drainRequested: false,
};

/** Stands in for the engine: keeps the calls that it gets, and answers what a spec tells it to. */
export class FakeMatching implements Matching {
  readonly adds: AddOperation[] = [];
  readonly answers: { operation: AnswerOperation; from: { workerId: string; receivedPollIds: readonly string[] } }[] =
    [];
  readonly cancels: CancelOperation[] = [];
  readonly polls: PollCall[] = [];
  readonly renewals: RenewCall[] = [];
  readonly heartbeats: HeartbeatCall[] = [];
  readonly waits: WaitCall[] = [];
  readonly shutdowns: string[] = [];
  readonly operations: OperatorOperation[] = [];
  readonly drainedWorkers: DrainWorkerOperation[] = [];
  readonly notes: NoteOperation[] = [];
  readonly namespaces: NamespaceRecord[] = [{ name: "default", description: "", createdAt: fakeNow }];
  readonly tasks = new Map<string, TaskRecord>();
  readonly filters: TaskFilter[] = [];
  readonly queues: TaskQueueRecord[] = [];
  readonly activities = new Map<string, QueueActivity>();
  /** Live workers of all namespaces. */
  readonly workers: LiveWorker[] = [];
  readonly startedByWorker = new Map<string, number>();
  readonly held = new Map<string, HeldTaskRecord[]>();
  readonly events: EventRecord[] = [];
  readonly eventFilters: object[] = [];
  readonly described = new Map<string, NamespaceDescription>();
  polled: TaskQueue[] = [];
  namespaceLookups = 0;
  waitingPolls = 0;
  liveWorkers = 0;
  readonly info = { storage: "fake", epoch: 7, instanceId: "instance", startedAt: fakeNow - 1_000 };

  onAdd: (operation: AddOperation) => AddResult = (operation) => ({
    verb: "add",
    added: operation.tasks.map(({ id }) => ({ id, run: 1, existed: false })),
  });
  onAnswer: (operation: AnswerOperation) => AnswerOperationResult = (operation) => ({
    verb: "answer",
    statuses: operation.answers.map(() => ({ status: "accepted" }) as const),
  });
  onCancel: (operation: CancelOperation) => CancelResult = (operation) => ({
    verb: "cancel",
    statuses: operation.ids.map(() => "canceled" as const),
  });
  onOperate: (operation: OperatorOperation) => OperationResult = (operation) => this.#operated(operation);
  onBackup: (path: string, onProgress: (progress: BackupProgress) => void) => Promise<{ readonly bytes: number }> =
    async () => Promise.resolve({ bytes: 0 });
  onPoll: (call: PollCall) => Promise<PollReply> = () => Promise.resolve(emptyPoll);
  onRenew: (call: RenewCall) => Promise<RenewReply> = () =>
    Promise.resolve({ lost: [], cancels: [], drainRequested: false, registrationsWanted: false, noticesSeen: "1" });

  now(): number {
    return fakeNow;
  }

  // Async, so that what `onAdd` throws becomes a rejection.
  async add(operation: AddOperation): Promise<AddResult> {
    this.adds.push(operation);
    return Promise.resolve(this.onAdd(operation));
  }

  async answer(
    operation: AnswerOperation,
    from: { workerId: string; receivedPollIds: readonly string[] },
  ): Promise<AnswerOperationResult> {
    this.answers.push({ operation, from });
    return Promise.resolve(this.onAnswer(operation));
  }

  async cancel(operation: CancelOperation): Promise<CancelResult> {
    this.cancels.push(operation);
    return Promise.resolve(this.onCancel(operation));
  }

  async operate<O extends OperatorOperation>(operation: O): Promise<ResultOf<O>> {
    this.operations.push(operation);
    // Each operation is answered with the result of its verb, or a spec is wrong.
    return Promise.resolve(this.onOperate(operation) as ResultOf<O>);
  }

  async drainWorker(operation: DrainWorkerOperation): Promise<DrainWorkerResult> {
    this.drainedWorkers.push(operation);
    return Promise.resolve({ verb: "drain-worker" });
  }

  async backup(path: string, onProgress: (progress: BackupProgress) => void): Promise<{ readonly bytes: number }> {
    return this.onBackup(path, onProgress);
  }

  poll(call: PollCall): Promise<PollReply> {
    this.polls.push(call);
    return this.onPoll(call);
  }

  renew(call: RenewCall): Promise<RenewReply> {
    this.renewals.push(call);
    return this.onRenew(call);
  }

  async heartbeat(call: HeartbeatCall): Promise<Pick<RenewReply, "lost" | "cancels">> {
    this.heartbeats.push(call);
    return { lost: call.heartbeats.slice(1).map(({ lease }) => lease), cancels: [] };
  }

  shutdownWorker(namespace: string, workerId: string): void {
    this.shutdowns.push(`${namespace}/${workerId}`);
  }

  getTasks(call: WaitCall): Promise<readonly (TaskRecord | undefined)[]> {
    this.waits.push(call);
    return Promise.resolve(call.ids.map((id) => this.tasks.get(id)));
  }

  readonly reader: StoreReader = {
    getTasks: (_namespace, ids) => Promise.resolve(ids.map((id) => this.tasks.get(id))),
    listTasks: (_namespace, filter, { size, after }) => {
      this.filters.push(filter);
      const all = [...this.tasks.values()];
      return Promise.resolve(pageOf(all, size, after));
    },
    listTaskQueues: (_namespace, { namePrefix, kind }, { size, after }) => {
      const all = this.queues.filter(
        ({ queue }) => queue.name.startsWith(namePrefix) && (kind === undefined || queue.kind === kind),
      );
      return Promise.resolve(pageOf(all, size, after));
    },
    describeTaskQueue: (queue) =>
      Promise.resolve(
        this.queues.find((record) => taskQueueKey(record.queue) === taskQueueKey(queue)) ?? fakeQueue(queue),
      ),
    countLeased: () => Promise.resolve(0),
    startedByWorker: () => Promise.resolve(this.startedByWorker),
    heldBy: (_namespace, workerId, limit) => Promise.resolve((this.held.get(workerId) ?? []).slice(0, limit)),
    listEvents: (_namespace, filter, { size, after }) => {
      this.eventFilters.push(filter);
      return Promise.resolve(pageOf(this.events, size, after));
    },
    describeNamespace: (name) => Promise.resolve(this.described.get(name)),
    listNamespaces: () => Promise.resolve(this.namespaces),
    hasNamespace: (name) => {
      this.namespaceLookups += 1;
      return Promise.resolve(this.namespaces.some((namespace) => namespace.name === name));
    },
  };

  async note(operation: NoteOperation): Promise<NoteResult> {
    this.notes.push(operation);
    return Promise.resolve({ verb: "note" });
  }

  activityOf(queue: TaskQueue): QueueActivity {
    return this.activities.get(taskQueueKey(queue)) ?? { addsPerSecond: 0, dispatchesPerSecond: 0, workers: [] };
  }

  polledQueues(): readonly TaskQueue[] {
    return this.polled;
  }

  workersOf(namespace: string, queue?: TaskQueue): readonly LiveWorker[] {
    if (queue !== undefined) return this.activityOf(queue).workers;
    return this.workers.filter((worker) => worker.namespace === namespace);
  }

  workerOf(namespace: string, workerId: string): LiveWorker | undefined {
    return this.workersOf(namespace).find((worker) => worker.workerId === workerId);
  }

  isDrained(_namespace: string, workerId: string): boolean {
    return this.drainedWorkers.some((operation) => operation.workerId === workerId);
  }

  /** What the store would answer, were everything as it should be. */
  #operated(operation: OperatorOperation): OperationResult {
    switch (operation.verb) {
      case "configure":
        return { verb: "configure", config: { ...operation.to, revision: (operation.expectedRevision ?? 0) + 1 } };
      case "pause":
        return {
          verb: "pause",
          pause: {
            ...operation.action,
            since: fakeNow,
            ...(operation.until !== undefined && { until: operation.until }),
          },
        };
      case "resume":
        return { verb: "resume", wasPaused: operation.queue.kind === "workflow", wasDraining: false };
      case "drain":
        return { verb: "drain", drain: { ...operation.action, since: fakeNow }, event: 7 };
      case "delete-queue":
        return { verb: "delete-queue", existed: true, more: false };
      case "change-tasks":
        return { verb: "change-tasks", progress: { examined: 1, changed: 1, skipped: 0 } };
      case "create-namespace": {
        const { name, description } = operation;
        const found = this.namespaces.find((namespace) => namespace.name === name);
        const namespace = found ?? { name, description, createdAt: fakeNow };
        if (found === undefined) this.namespaces.push(namespace);
        return { verb: "create-namespace", existed: found !== undefined, namespace };
      }
    }
  }

  services() {
    return [{ name: "committer", running: true, lastProgressAt: fakeNow, lastError: "" }];
  }
}

function pageOf<Item>(all: readonly Item[], size: number, after: string | undefined): Page<Item> {
  const start = after === undefined ? 0 : Number(after);
  const items = all.slice(start, start + size);
  return start + size < all.length ? { items, next: String(start + size) } : { items };
}

/** An activity queue of the default namespace. */
export function fakeActivityQueue(name: string): TaskQueue {
  return { namespace: "default", name, kind: "activity" };
}

/** A queue as the store describes it; empty unless told otherwise. */
export function fakeQueue(queue: TaskQueue, fields: Partial<TaskQueueRecord> = {}): TaskQueueRecord {
  return { ...emptyTaskQueue(queue), ...fields };
}

/** A live worker that takes every type and has one slot free. */
export function fakeWorker(
  workerId: string,
  fields: Partial<QueueActivity["workers"][number]> = {},
): LiveWorker & { freeSlots: number; started?: number } {
  return {
    namespace: "default",
    workerId,
    identity: "",
    buildId: "",
    firstSeen: fakeNow,
    lastSeen: fakeNow,
    registrationsHash: "",
    registrations: everything,
    status: undefined,
    openCalls: 1,
    shuttingDown: false,
    draining: false,
    toldOfDrain: false,
    queues: new Map(),
    freeSlots: 1,
    ...fields,
  };
}

const retryPolicy = {
  initialIntervalMs: 1_000,
  backoffCoefficient: 2,
  maximumIntervalMs: 100_000,
  maximumAttempts: 25,
  nonRetryableFailureTypes: [],
  jitter: 0.1,
};

/** A delivery of a task without input. */
export function fakeDispatched(id: string, fields: Partial<DispatchedTask> = {}): DispatchedTask {
  return {
    lease: { seq: 1, leaseNo: 1 },
    id,
    run: 1,
    queue: fakeActivityQueue("q"),
    type: "t",
    input: new Uint8Array(0),
    attempt: 1,
    priority: 3,
    fairnessKey: "",
    addedAt: fakeNow - 5_000,
    startedAt: fakeNow,
    leaseMs: 30_000,
    timeouts: {},
    retryPolicy,
    ...fields,
  };
}

/** A task that is ready. */
export function fakeTask(id: string, fields: Partial<TaskRecord> = {}): TaskRecord {
  return {
    seq: 1,
    id,
    run: 1,
    queue: fakeActivityQueue("q"),
    type: "t",
    state: "ready",
    attempt: 0,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 1,
    addedAt: fakeNow,
    waitsForSerialKey: false,
    input: new Uint8Array(0),
    timeouts: {},
    retryPolicy,
    failedAttempts: [],
    ...fields,
  };
}
