import { type Client, kindName, type TaskKind } from "@tq/client";
import type { AnswerStatus, TaskAnswer } from "@tq/proto";
import {
  answerAfterRefusal,
  checkedAnswer,
  completedAnswer,
  encodedAnswer,
  failedAnswer,
  releasedAnswer,
  thrownAnswer,
} from "./answers.ts";
import { Context, runWithContext } from "./context.ts";
import { ApplicationFailure } from "./failure.ts";
import type { ActivityHandler, AnyWorkflowHandler, WorkflowTask } from "./handlers.ts";
import type { HeldTask } from "./held-task.ts";
import type { BegunWork, LeaseSession } from "./lease-session.ts";
import { type Logger, withFields } from "./logger.ts";
import type { OutgoingAnswer } from "./outbox.ts";
import { decodeDelivery, decodeDeliveryWith } from "./task-info.ts";

/** What the executor needs. */
export interface ExecutorOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly session: LeaseSession;
  readonly activities: ReadonlyMap<string, ActivityHandler>;
  readonly workflows: ReadonlyMap<string, AnyWorkflowHandler>;
}

/** Runs handlers, and makes answers of what they do. Nothing that a handler does gets past it. */
export class Executor implements BegunWork {
  readonly #options: ExecutorOptions;
  readonly #running = new Set<HeldTask>();
  readonly #onIdle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Handlers that run. */
  get running(): number {
    return this.#running.size;
  }

  /** Runs the handlers of deliveries that the session holds. */
  begin(tasks: readonly HeldTask[]): void {
    for (const held of tasks) {
      this.#running.add(held);
      void this.#run(held);
    }
  }

  /** Tells all handlers to stop. */
  abortAll(): void {
    for (const held of this.#running) held.abort("WORKER_SHUTDOWN", "The worker is shutting down");
  }

  /** Gives back what still runs, and waits for it no longer. */
  releaseAll(reason: string): void {
    for (const held of this.#running) {
      if (held.state === "running") this.#answer(held, releasedAnswer(held.task.token, reason));
      this.#running.delete(held);
    }
    this.#checkIdle();
  }

  /** Resolves once no handler runs. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** How the server took an answer. */
  answered(outgoing: OutgoingAnswer, status: AnswerStatus): void {
    const { held } = outgoing;
    if (held === undefined) return;
    const { session } = this.#options;
    switch (session.settle(held, status)) {
      case "answered":
        return;
      case "lost":
        this.#logDropped(held);
        return;
      case "refused": {
        const { reason = "", field = "", message = "no reason was given" } = status.error ?? {};
        const why = { reason, field, message };
        const instead = answerAfterRefusal(held, outgoing.answer, why, kindOf(held));
        this.#log(held).error({ ...why, answer: outgoing.answer.answer.case }, "The server refused an answer");
        if (instead !== undefined) session.answer(instead, held);
        // Nothing is left to say. Its lease runs out, and the server takes it back.
        else session.forget(held);
      }
    }
  }

  async #run(held: HeldTask): Promise<void> {
    const { payloadConverter, messageCodec } = this.#options.client.config;
    let answer: TaskAnswer;
    try {
      answer = await this.#callHandler(held);
    } catch (error) {
      answer = failedAnswer(held, error, payloadConverter);
    }
    if (messageCodec !== undefined) answer = await encodedAnswer(held, answer, messageCodec, this.#log(held));
    answer = checkedAnswer(held, answer, payloadConverter);
    held.handlerEnded();
    switch (held.state) {
      case "running":
        this.#answer(held, answer);
        break;
      case "lost":
        this.#logDropped(held);
        break;
      case "answering":
      case "answered":
        // It was given back while it ran, at the end of a shutdown.
        break;
    }
    this.#running.delete(held);
    this.#checkIdle();
  }

  async #callHandler(held: HeldTask): Promise<TaskAnswer> {
    const { client, session } = this.#options;
    const { payloadConverter: converter, messageCodec, clock } = client.config;
    const { task } = held;
    const kind = kindOf(held);
    const run = this.#handlerOf(kind, task.type);
    if (run === undefined) return releasedAnswer(task.token, `this worker has no ${kind} handler ${task.type}`);

    const decoded =
      messageCodec === undefined ? decodeDelivery(task, client) : await decodeDeliveryWith(messageCodec, task, client);
    if (decoded instanceof ApplicationFailure) return failedAnswer(held, decoded, converter);
    const { info, args } = decoded;
    const heartbeat = (details: unknown) => session.heartbeat(held, details);
    const context = new Context({ info, cancellationSignal: held.signal, log: this.#log(held), clock, heartbeat });
    let returned: unknown;
    try {
      returned = await runWithContext(context, () => run(args, context));
    } catch (thrown) {
      return thrownAnswer(held, thrown, converter);
    }
    return completedAnswer(held, returned, kind, converter);
  }

  #handlerOf(kind: TaskKind, type: string): ((args: readonly unknown[], context: Context) => unknown) | undefined {
    const { activities, workflows } = this.#options;
    if (kind === "activity") {
      const activity = activities.get(type);
      return activity && ((args) => activity(...args));
    }
    const workflow = workflows.get(type);
    return workflow && ((args, context) => workflow(workflowTask(args, context), context));
  }

  #answer(held: HeldTask, answer: TaskAnswer): void {
    held.answering();
    this.#options.session.answer(answer, held);
  }

  #logDropped(held: HeldTask): void {
    this.#log(held).warn(
      {},
      "An answer was dropped: the lease was lost, and the task is another worker's now, or closed",
    );
  }

  #log(held: HeldTask): Logger {
    const { id, type, attempt, taskQueue } = held.task;
    return withFields(this.#options.logger, { taskId: id, type, attempt, taskQueue: taskQueue?.name });
  }

  #checkIdle(): void {
    if (this.#running.size === 0) for (const listener of this.#onIdle.splice(0)) listener();
  }
}

function kindOf(held: HeldTask): TaskKind {
  return kindName(held.task.taskQueue?.kind);
}

/** The task as a workflow handler gets it. */
function workflowTask(args: readonly unknown[], { info }: Context): WorkflowTask {
  const { taskId, run, type, taskQueue, attempt, serialKey, headers, closedTask } = info;
  return { id: taskId, run, type, taskQueue, attempt, serialKey, headers, args, closedTask };
}
