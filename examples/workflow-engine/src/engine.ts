import type { Client, Duration } from "@tq/client";
import {
  type CacheStatus,
  type LeasedTask,
  type LogFields,
  type Logger,
  type TaskBatch,
  TaskPoller,
} from "@tq/worker-sdk";
import { BadEventError, Histories } from "./histories.ts";
import type { End, HistoryRecord } from "./history.ts";
import { Log } from "./log.ts";
import { checkCommands, commandsOf, readArrival } from "./wire.ts";
import type { WorkflowTable } from "./workflow.ts";

/** Options of an {@link Engine}. */
export interface EngineOptions {
  /** For its address and namespace; the engine does not close it. */
  readonly client: Client;
  /** The workflow queue that all events of its workflows come in by. One engine to a queue. */
  readonly taskQueue: string;
  /** The log. One engine to a file. */
  readonly file: string;
  /** Workflows by their types. */
  readonly workflows: WorkflowTable;
  /** How long tq waits for a sign of life. Default 10 s: what a killed engine had comes back soon. */
  readonly lease?: Duration;
  /** Most tasks that it has at once. Default 1,000: those that arrive during an fsync share the next one. */
  readonly maxTasks?: number;
  /** Most workflows that are kept between two of their events; others are replayed. Default 10,000, at a few KB each. */
  readonly maxCachedRuns?: number;
  /** Told of each workflow as it ends, once that is on disk. */
  readonly onEnd?: (workflow: string, end: End) => void;
  /** Told of each task as it comes in. */
  readonly onTask?: (task: LeasedTask) => void;
  /** Told what went wrong and is being tried again. Default: a line on stderr. */
  readonly onTrouble?: (text: string) => void;
}

/**
 * Runs workflows. An event comes in as a workflow task; the engine lets the workflow decide on it, writes event and
 * decision to its log, and then answers the task with the commands. Killed before the write, it has done nothing, and the
 * task comes again; killed after it, the task comes again and is answered with what the log says.
 */
export class Engine {
  readonly #options: Required<EngineOptions>;
  readonly #histories: Histories;
  #poller: TaskPoller | undefined;
  #log: Log | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: EngineOptions) {
    const onTrouble = (text: string) => process.stderr.write(`${text}\n`);
    const bounds = { lease: "10s", maxTasks: 1_000, maxCachedRuns: 10_000 } as const;
    this.#options = { ...bounds, onEnd() {}, onTask() {}, onTrouble, ...options };
    this.#histories = new Histories(options.workflows, this.#options.maxCachedRuns);
  }

  /** Reads the log and begins to poll. @throws Error if the log cannot be used. */
  async start(): Promise<void> {
    const { client, taskQueue, file, workflows, lease, maxTasks } = this.#options;
    const { log, records } = await Log.open(file);
    this.#log = log;
    for (const record of records) this.#histories.restore(record as HistoryRecord);
    const poller = await TaskPoller.create({
      client,
      taskQueue,
      kind: "workflow",
      types: Object.keys(workflows),
      maxConcurrentTasks: maxTasks,
      lease,
      identity: `engine ${process.pid}`,
      shutdownGraceTime: "5s",
      shutdownForceTime: "5s",
      logger: this.#logger(),
    });
    this.#poller = poller;
    this.#running = this.#run(poller, log);
    this.#running.catch(() => {});
  }

  /** Resolves when the engine has stopped polling. Rejects if it cannot go on: the log failed, or the server refuses it. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Workflows that it knows and that have not ended. */
  get openCount(): number {
    return this.#histories.openCount;
  }

  /** How often a workflow stood ready for its next event, and how often it had to be replayed. */
  get runCache(): CacheStatus {
    return this.#histories.runCache;
  }

  /** Stops polling, answers what it has, and closes the log. Gives up on the server after some seconds. */
  async stop(): Promise<void> {
    this.#poller?.shutdown();
    await this.#running.catch(() => {});
    await this.#log?.close();
  }

  /** What arrives while a batch is written makes the next one. The answers travel with the next poll. */
  async #run(poller: TaskPoller, log: Log): Promise<void> {
    const { onTask, onEnd, taskQueue } = this.#options;
    for await (const batch of poller) {
      const records: HistoryRecord[] = [];
      const decided = batch.tasks.map((task) => {
        onTask(task);
        try {
          const { record, isNew } = this.#histories.handle(readArrival(task), Date.now(), checkCommands);
          if (record !== undefined && isNew) records.push(record);
          return { task, commands: record === undefined ? [] : commandsOf(record, taskQueue) };
        } catch (error) {
          return { task, error };
        }
      });
      await log.append(records);
      for (const { workflow, decision } of records) if (decision.end !== undefined) onEnd(workflow, decision.end);
      for (const { task, commands, error } of decided) {
        if (commands === undefined) this.#fail(task, `task ${task.info.taskId} (${task.info.type})`, error);
        else task.complete({ commands });
      }
      void this.#watch(batch);
    }
  }

  /** An answer that is refused is replaced by a failure. A lease that was lost is no matter: the task comes again. */
  async #watch(batch: TaskBatch): Promise<void> {
    for (const { task, status, error } of await batch.flush()) {
      if (status !== "REFUSED") continue;
      const why = new Error(`tq refused its commands: ${error?.field ?? ""} ${error?.message ?? ""}`);
      why.name = error?.reason ?? "Refused";
      this.#fail(task, "an answer", why);
    }
  }

  /** The task cannot be handled now, or ever. tq shows operators why, and brings it again unless that is of no use. */
  #fail(task: LeasedTask, subject: string, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#options.onTrouble(`${subject} failed: ${error.message}`);
    task.fail(error instanceof BadEventError ? error.forGood() : error);
  }

  /** What the poller has to say is trouble, if anything. */
  #logger(): Logger {
    const tell = ({ error }: LogFields, message: string) =>
      this.#options.onTrouble(typeof error === "string" ? `${message}: ${error}` : message);
    return { debug() {}, info() {}, warn: tell, error: tell };
  }
}
