import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { backoffMs, type Client, type Duration, durationMessage, toTqError, type TqError } from "@tq/client";
import {
  AnswerResult,
  type AnswerStatus,
  type DispatchedTask,
  type PollTasksRequestSchema,
  type PollTasksResponse,
  type TaskAnswerSchema,
  TaskQueueKind,
} from "@tq/proto";
import { BadEventError, Histories } from "./histories.ts";
import type { End, HistoryRecord } from "./history.ts";
import { Log } from "./log.ts";
import { commandMessages, readArrival } from "./wire.ts";
import type { WorkflowTable } from "./workflow.ts";

type Answer = MessageInitShape<typeof TaskAnswerSchema>;

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
  /** How long tq waits for the answer to a task. Default 10 s: a decision takes milliseconds. */
  readonly lease?: Duration;
  /** Polls that wait at once. Default 2: one may write to the log while the other is at the server. */
  readonly pollers?: number;
  /** Most tasks that a poll brings. Default 200; they share an fsync and an answer. */
  readonly maxTasksPerPoll?: number;
  /** Told of each workflow as it ends, once that is on disk. */
  readonly onEnd?: (workflow: string, end: End) => void;
  /** Told of each task as it comes in. */
  readonly onTask?: (task: DispatchedTask) => void;
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
  readonly #workerId: string;
  readonly #aborted = new AbortController();
  #log: Log | undefined;
  #polls: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: EngineOptions) {
    const onTrouble = (text: string) => process.stderr.write(`${text}\n`);
    const defaults = { lease: "10s", pollers: 2, maxTasksPerPoll: 200, onEnd() {}, onTask() {}, onTrouble } as const;
    this.#options = { ...defaults, ...options };
    this.#histories = new Histories(options.workflows);
    this.#workerId = options.client.config.newId();
  }

  /** Reads the log and begins to poll. @throws Error if the log cannot be used. */
  async start(): Promise<void> {
    const { log, records } = await Log.open(this.#options.file);
    this.#log = log;
    for (const record of records) this.#histories.restore(record as HistoryRecord);
    const polls = Array.from({ length: this.#options.pollers }, () => this.#poll(log));
    this.#polls = Promise.all(polls).then(() => {});
    this.#polls.catch(() => this.#aborted.abort());
  }

  /** Resolves when the engine has stopped polling. Rejects if it cannot go on: the log failed, or the server refuses it. */
  async ended(): Promise<void> {
    await this.#polls;
  }

  /** Workflows that it knows and that have not ended. */
  get openCount(): number {
    return this.#histories.openCount;
  }

  /** Stops polling, answers what it has, and closes the log. Gives up on the server after 5 s. */
  async stop(): Promise<void> {
    const { client } = this.#options;
    this.#isStopping = true;
    const call = { namespace: client.config.namespace, workerId: this.#workerId };
    // Its polls answer empty at once.
    await client.services.workers.shutdownWorker(call, { timeoutMs: 2_000 }).catch(() => {});
    const timer = setTimeout(() => this.#aborted.abort(), 5_000);
    await this.#polls.catch(() => {});
    clearTimeout(timer);
    await this.#log?.close();
  }

  /** One poll after the other; each takes the answers to the last one's tasks along. */
  async #poll(log: Log): Promise<void> {
    const { client, taskQueue, lease, maxTasksPerPoll, workflows } = this.#options;
    const { namespace, newId } = client.config;
    // Few enough to be sent in full with each poll; so the server never has to ask for them.
    const workflowTypes = Object.keys(workflows).toSorted();
    const worker = {
      workerId: this.#workerId,
      identity: `engine ${process.pid}`,
      registrationsHash: hash("sha256", workflowTypes.join("\n")),
      registrations: { workflowTypes },
    };
    let answers: Answer[] = [];
    while (!this.#isStopping || answers.length > 0) {
      const response = await this.#untilAnswered({
        namespace,
        pollId: newId(),
        requestId: newId(),
        worker,
        taskQueues: [{ name: taskQueue, kind: TaskQueueKind.WORKFLOW }],
        maxTasks: maxTasksPerPoll,
        lease: durationMessage(lease, "lease"),
        wait: durationMessage("20s", "wait"),
        answers,
      });
      if (response === undefined) return;
      const refused = response.answerStatuses.flatMap((status, index) => this.#refusal(answers[index], status));
      answers = [...refused, ...(await this.#handle(response.tasks, log))];
      if (response.drainRequested) this.#isStopping = true;
    }
  }

  /** Lets the workflows decide, and answers once that is on disk. */
  async #handle(tasks: readonly DispatchedTask[], log: Log): Promise<Answer[]> {
    const { onTask, onEnd } = this.#options;
    const records: HistoryRecord[] = [];
    const answers = tasks.map((task): Answer => {
      onTask(task);
      try {
        const { record, isNew } = this.#histories.handle(readArrival(task), Date.now(), (made) => this.#commands(made));
        if (record !== undefined && isNew) records.push(record);
        const commands = record === undefined ? [] : this.#commands(record);
        return { token: task.token, answer: { case: "completed", value: { commands } } };
      } catch (error) {
        return this.#failed(task.token, `task ${task.id} (${task.type})`, error);
      }
    });
    // Also if there is nothing to write: a record that is recognised may be on its way to the disk only now.
    await log.append(records);
    for (const { workflow, decision } of records) if (decision.end !== undefined) onEnd(workflow, decision.end);
    return answers;
  }

  #commands(record: HistoryRecord): ReturnType<typeof commandMessages> {
    return commandMessages(record, this.#options.taskQueue);
  }

  /** The task cannot be handled now, or ever. tq shows operators why, and brings it again unless that is of no use. */
  #failed(token: Uint8Array | undefined, subject: string, error: unknown): Answer {
    const { name: type, message } = error instanceof Error ? error : new Error(String(error));
    this.#options.onTrouble(`${subject} failed: ${message}`);
    const failure = { type, message, nonRetryable: error instanceof BadEventError };
    return { ...(token !== undefined && { token }), answer: { case: "failed", value: { failure } } };
  }

  /** What became of an answer. A lease that was lost is no matter: the task comes again, and is recognised. */
  #refusal(answer: Answer | undefined, { result, error }: AnswerStatus): Answer[] {
    if (result !== AnswerResult.REFUSED || answer === undefined) return [];
    const why = new Error(`tq refused its commands: ${error?.field ?? ""} ${error?.message ?? ""}`);
    why.name = error?.reason ?? "Refused";
    // A failure that is refused, too, is left to its lease.
    return answer.answer?.case === "failed" ? [] : [this.#failed(answer.token, "an answer", why)];
  }

  /**
   * Makes the same call until it is answered: the poll id brings the same tasks and the request id the same statuses, over
   * a broken connection and over a restart of the server alike. Undefined once the engine gives up.
   */
  async #untilAnswered(
    request: MessageInitShape<typeof PollTasksRequestSchema>,
  ): Promise<PollTasksResponse | undefined> {
    const { client, onTrouble } = this.#options;
    const { signal } = this.#aborted;
    const timeoutMs = 30_000;
    for (let failures = 1; ; failures++) {
      try {
        return await client.services.workers.pollTasks(request, { signal, timeoutMs });
      } catch (unknown) {
        const error = toTqError(unknown);
        if (signal.aborted || (this.#isStopping && request.answers?.length === 0)) return undefined;
        if (isFinal(error)) throw error;
        if (failures === 1) onTrouble(`the engine polls again: ${error.message}`);
        const waitMs = backoffMs(failures, { initialIntervalMs: 50, maximumIntervalMs: 1_000 }, Math.random);
        await sleep(Math.max(waitMs, error.retryAfterMs ?? 0), undefined, { signal }).catch(() => {});
      }
    }
  }
}

/** Whether the server will never take this call. Everything else passes, and the log loses nothing meanwhile. */
function isFinal({ code }: TqError): boolean {
  return ["invalid_argument", "not_found", "unimplemented", "permission_denied", "unauthenticated"].includes(code);
}
