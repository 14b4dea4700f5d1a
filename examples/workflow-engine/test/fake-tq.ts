import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AnswerResult,
  type ClosedTask,
  type CommandSchema,
  type DispatchedTask,
  DispatchedTaskSchema,
  type Failure,
  NewTaskSchema,
  type Outcome,
  type TaskAnswerSchema,
  TaskQueueKind,
  TaskState,
} from "@tq/proto";

type NewTaskInit = MessageInitShape<typeof NewTaskSchema>;
type CommandInit = MessageInitShape<typeof CommandSchema>;
export type AnswerInit = MessageInitShape<typeof TaskAnswerSchema>;

interface FakeTask {
  readonly init: ReturnType<typeof newTask>;
  readonly closedTask: ClosedTask | undefined;
  state: "waiting" | "started" | "closed";
  dueMs: number;
  /** In line for its serial key since it was due first. */
  place: number | undefined;
  leaseNo: number;
  attempt: number;
  cancelRequested: boolean;
}

const leaseMs = 5_000;

/** What a workflow engine needs of tq, in memory and on a clock that stands still: the contract in its shortest form. */
export class FakeTq {
  nowMs = 0;
  /** Every task that was ever added. */
  readonly #tasks = new Map<string, FakeTask>();
  #nextPlace = 1;

  get ids(): string[] {
    return [...this.#tasks.keys()];
  }

  get openIds(): string[] {
    return [...this.#tasks.values()].filter(({ state }) => state !== "closed").map(({ init }) => init.id);
  }

  add(init: NewTaskInit): void {
    this.#add(newTask(init), undefined);
  }

  poll(kind: TaskQueueKind, queue: string, max: number): DispatchedTask[] {
    const due = [...this.#tasks.values()].filter((task) => task.state === "waiting" && task.dueMs <= this.nowMs);
    for (const task of due.toSorted((a, b) => a.dueMs - b.dueMs)) task.place ??= this.#nextPlace++;
    const tasks: DispatchedTask[] = [];
    for (const task of due.toSorted((a, b) => a.place! - b.place!)) {
      const { taskQueue } = task.init;
      if (tasks.length === max || taskQueue?.kind !== kind || taskQueue.name !== queue || !this.#isFirst(task))
        continue;
      tasks.push(this.#start(task));
    }
    return tasks;
  }

  answer({ token, answer }: AnswerInit): AnswerResult {
    const [id = "", leaseNo] = Buffer.from(token!).toString().split("#");
    const task = this.#tasks.get(id);
    if (task?.state !== "started" || task.leaseNo !== Number(leaseNo)) return AnswerResult.LEASE_LOST;
    switch (answer?.case) {
      case "completed": {
        const { commands = [], result } = answer.value as { commands?: CommandInit[]; result?: Outcome["result"] };
        if (commands.some((command) => this.#refuses(command))) return AnswerResult.REFUSED;
        for (const command of commands) this.#carryOut(command);
        this.#close(task, { state: TaskState.COMPLETED, result });
        break;
      }
      case "failed":
        this.#fail(task, answer.value.failure as Failure);
        break;
      case "canceled":
        this.#close(task, { state: TaskState.CANCELED });
        break;
      case "released":
      case undefined:
        throw new Error("an engine does not do that");
    }
    return AnswerResult.ACCEPTED;
  }

  isCancelRequested(id: string): boolean {
    return this.#tasks.get(id)!.cancelRequested;
  }

  /** What is started is ready again, as after its leases. */
  expireLeases(): void {
    this.nowMs += leaseMs;
    for (const task of this.#tasks.values()) if (task.state === "started") task.state = "waiting";
  }

  /** Moves the clock to the next task that becomes due; false if there is none. */
  skipAhead(): boolean {
    const due = [...this.#tasks.values()].filter(({ state, dueMs }) => state === "waiting" && dueMs > this.nowMs);
    if (due.length === 0) return false;
    this.nowMs = Math.min(...due.map(({ dueMs }) => dueMs));
    return true;
  }

  #isFirst({ init, place }: FakeTask): boolean {
    if (init.serialKey === "") return true;
    return ![...this.#tasks.values()].some(
      (other) =>
        other.state !== "closed" &&
        other.init.serialKey === init.serialKey &&
        other.place !== undefined &&
        other.place < place!,
    );
  }

  #start(task: FakeTask): DispatchedTask {
    task.state = "started";
    task.leaseNo++;
    task.attempt++;
    const { id, type, input, taskQueue, serialKey } = task.init;
    const token = Buffer.from(`${id}#${task.leaseNo}`);
    const { attempt, closedTask } = task;
    const now = timestampFromMs(this.nowMs);
    const more = { addedAt: now, startedAt: now, ...(closedTask && { closedTask }), ...(taskQueue && { taskQueue }) };
    return create(DispatchedTaskSchema, { token, id, type, input, serialKey, attempt, run: 1, ...more });
  }

  #fail(task: FakeTask, failure: Failure): void {
    const { maximumAttempts = 0, nonRetryableFailureTypes = [] } = task.init.retryPolicy ?? {};
    const isLast = maximumAttempts > 0 && task.attempt >= maximumAttempts;
    if (isLast || failure.nonRetryable || nonRetryableFailureTypes.includes(failure.type)) {
      return this.#close(task, { state: TaskState.FAILED, failure });
    }
    task.state = "waiting";
    task.dueMs = this.nowMs + 100;
  }

  #refuses({ command }: CommandInit): boolean {
    if (command?.case !== "scheduleActivityTask" && command?.case !== "addTask") return false;
    return this.#tasks.get(command.value.task!.id!)?.state === "closed";
  }

  #carryOut({ command }: CommandInit): void {
    switch (command?.case) {
      case "scheduleActivityTask":
      case "addTask":
        return this.add(command.value.task!);
      case "startTimer": {
        const { delay: startDelay, ...timer } = command.value;
        return this.add({ ...timer, $typeName: "tq.v1.NewTask", startDelay } as NewTaskInit);
      }
      case "cancelTask": {
        const task = this.#tasks.get(command.value.id!);
        if (task?.state === "waiting") this.#close(task, { state: TaskState.CANCELED });
        else if (task !== undefined) task.cancelRequested = true;
        return;
      }
      case undefined:
    }
  }

  #close(task: FakeTask, outcome: Partial<Outcome>): void {
    task.state = "closed";
    const { onClose, id, type } = task.init;
    if (onClose === undefined) return;
    const taskQueue = { name: onClose.taskQueue!.name, kind: TaskQueueKind.WORKFLOW };
    const next = newTask({ ...onClose, $typeName: "tq.v1.NewTask", id: `${id}/closed/1`, taskQueue } as NewTaskInit);
    this.#add(next, { id, run: 1, type, outcome, context: onClose.context } as ClosedTask);
  }

  #add(init: FakeTask["init"], closedTask: ClosedTask | undefined): void {
    const known = this.#tasks.get(init.id);
    if (known !== undefined) return;
    const dueMs = this.nowMs + (init.startDelay === undefined ? 0 : durationMs(init.startDelay));
    const counts = { leaseNo: 0, attempt: 0, place: undefined, cancelRequested: false };
    this.#tasks.set(init.id, { init, closedTask, state: "waiting", dueMs, ...counts });
  }
}

function newTask(init: NewTaskInit) {
  return create(NewTaskSchema, init);
}
