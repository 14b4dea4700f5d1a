/* What must be true after every step: whatever is counted equals what is there. */
import { createClient } from "@connectrpc/connect";
import { OperatorService, TaskQueueKind, TaskService, TaskState, type Task, type TaskCounts } from "@tq/proto";
import { namespaces } from "./scenery.ts";
import type { ServerProcess } from "./server-process.ts";

type Counts = Readonly<Record<"scheduled" | "ready" | "started" | "dead", number>>;

/**
 * Compares the tables of the store with each other and with the memory of the server, and what DescribeTaskQueue counts with
 * the tasks that ListTasks has. Throws if anything disagrees.
 */
export async function checkState(server: ServerProcess): Promise<void> {
  await server.checkInvariants();
  for (const namespace of namespaces) await checkNamespace(server, namespace);
}

async function checkNamespace(server: ServerProcess, namespace: string): Promise<void> {
  const counted = new Map<string, Counts>();
  for (const task of await tasksOf(server, namespace)) count(counted, task);
  const operators = createClient(OperatorService, server.transport);
  const { taskQueues } = await operators.listTaskQueues({ namespace, pageSize: 1_000 });
  const names = new Set(taskQueues.map(({ taskQueue }) => nameOf(taskQueue)));
  for (const name of counted.keys())
    if (!names.has(name)) throw new Error(`ListTaskQueues lacks ${name}, which has tasks`);
  for (const { taskQueue } of taskQueues) {
    const { taskQueues: described } = await operators.describeTaskQueue({ namespace, ...(taskQueue && { taskQueue }) });
    for (const queue of described) {
      const name = nameOf(queue.taskQueue);
      same(`the counts of ${name}`, toCounts(queue.counts), counted.get(name) ?? none);
      for (const by of [queue.countsByPriority, queue.countsByType]) {
        same(`the counts of ${name} by part`, sum(Object.values(by).map(toCounts)), counted.get(name) ?? none);
      }
    }
  }
}

/** Every task that the server has, open or kept. */
export async function everyTask(server: ServerProcess): Promise<Task[]> {
  const all: Task[] = [];
  for (const namespace of namespaces) all.push(...(await tasksOf(server, namespace)));
  return all;
}

async function tasksOf(server: ServerProcess, namespace: string): Promise<Task[]> {
  const tasks = createClient(TaskService, server.transport);
  const all: Task[] = [];
  let pageToken = "";
  do {
    const page = await tasks.listTasks({ namespace, pageSize: 1_000, pageToken });
    all.push(...page.tasks);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}

/** Whether a task has not closed. */
export function isOpen({ state }: Task): boolean {
  return state === TaskState.SCHEDULED || state === TaskState.READY || state === TaskState.STARTED;
}

const none: Counts = { scheduled: 0, ready: 0, started: 0, dead: 0 };

const columnOf: Readonly<Partial<Record<TaskState, keyof Counts>>> = {
  [TaskState.SCHEDULED]: "scheduled",
  [TaskState.READY]: "ready",
  [TaskState.STARTED]: "started",
  [TaskState.FAILED]: "dead",
  [TaskState.TIMED_OUT]: "dead",
};

function count(counted: Map<string, Counts>, task: Task): void {
  const column = columnOf[task.state];
  if (column === undefined) return;
  const name = nameOf(task.taskQueue);
  const counts = counted.get(name) ?? none;
  counted.set(name, { ...counts, [column]: counts[column] + 1 });
}

function nameOf(queue: Task["taskQueue"]): string {
  return `${queue?.name ?? ""}/${TaskQueueKind[queue?.kind ?? TaskQueueKind.UNSPECIFIED]}`;
}

function toCounts(counts: TaskCounts | undefined): Counts {
  const { scheduled = 0n, ready = 0n, started = 0n, dead = 0n } = counts ?? {};
  return { scheduled: Number(scheduled), ready: Number(ready), started: Number(started), dead: Number(dead) };
}

function sum(parts: readonly Counts[]): Counts {
  return parts.reduce(
    (total, part) => ({
      scheduled: total.scheduled + part.scheduled,
      ready: total.ready + part.ready,
      started: total.started + part.started,
      dead: total.dead + part.dead,
    }),
    none,
  );
}

function same(what: string, said: Counts, there: Counts): void {
  const [a, b] = [JSON.stringify(said), JSON.stringify(there)];
  if (a !== b) throw new Error(`${what} are ${a}, but there are ${b}`);
}
