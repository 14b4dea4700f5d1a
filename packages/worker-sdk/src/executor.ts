import type { Context as TraceContext } from "@opentelemetry/api";
import type { Client, TaskKind } from "@tq/client";
import { kindName } from "@tq/client/internal";
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
import type { WorkflowCommand } from "./commands.ts";
import { CompleteAsyncError } from "./complete-async-error.ts";
import { runWithContext } from "./context.ts";
import { ApplicationFailure, isA } from "./failure.ts";
import { HandlerCall, type HandlerSurroundings, taskLogger } from "./handler-call.ts";
import type { ActivityHandler, AnyWorkflowHandler } from "./handlers.ts";
import type { HeldTask } from "./held-task.ts";
import type { BegunWork, LeaseSession } from "./lease-session.ts";
import type { Logger } from "./logger.ts";
import type { OutgoingAnswer } from "./outbox.ts";
import { RunningTasks } from "./running-tasks.ts";
import { decodeArgs, decodeMessage } from "./task-info.ts";
import type { HandlerOutcome, WorkerMetrics } from "./worker-metrics.ts";
import { tracedCommand, type WorkerTracing } from "./worker-tracing.ts";

/** What the executor needs. */
export interface ExecutorOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly session: LeaseSession;
  readonly activities: ReadonlyMap<string, ActivityHandler>;
  readonly workflows: ReadonlyMap<string, AnyWorkflowHandler>;
  readonly around: HandlerSurroundings;
  readonly tracing: WorkerTracing;
}

/** Runs handlers, and makes answers of what they do. Nothing that a handler does gets past it. */
export class Executor implements BegunWork {
  readonly #options: ExecutorOptions;
  readonly #running = new RunningTasks();
  #metrics: WorkerMetrics | undefined;
  readonly #onIdle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Measures handlers from now on. */
  measureWith(metrics: WorkerMetrics | undefined): void {
    this.#metrics = metrics;
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
    for (const held of this.#running.all()) held.abort("WORKER_SHUTDOWN", "The worker is shutting down");
  }

  /** Gives back what still runs, and waits for it no longer. */
  releaseAll(reason: string): void {
    for (const held of this.#running.all()) {
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
        this.#dropped(held);
        return;
      case "refused": {
        const { reason = "", field = "", message = "no reason was given" } = status.error ?? {};
        const why = { reason, field, message };
        this.#forgetCached(held);
        const instead = answerAfterRefusal(held, outgoing.answer, why, kindOf(held));
        this.#log(held).error({ ...why, answer: outgoing.answer.answer.case }, "The server refused an answer");
        if (instead !== undefined) session.answer(instead, held);
        // Nothing is left to say. Its lease runs out, and the server takes it back.
        else session.forget(held);
      }
    }
  }

  /** From the delivery to its answer, in one function: each more that is async costs a small task much of its time. */
  async #run(held: HeldTask): Promise<void> {
    const { client, around, tracing } = this.#options;
    const { payloadConverter: converter, messageCodec, clock } = client.config;
    const { task } = held;
    const kind = kindOf(held);
    const metrics = this.#metrics;
    let answer: TaskAnswer | undefined;
    let within: TraceContext | undefined;
    let beganAtMs: number | undefined;
    try {
      const call = new HandlerCall(held, around);
      const run = this.#handlerOf(kind, task.type, call);
      const undecodable =
        run === undefined || messageCodec === undefined ? undefined : await decodeMessage(messageCodec, task);
      const begun = undecodable ?? this.#beginning(held, kind, run);
      if (typeof begun !== "function") {
        answer = begun instanceof ApplicationFailure ? failedAnswer(held, begun, converter) : begun;
      } else {
        beganAtMs = metrics === undefined ? 0 : clock.now();
        metrics?.begun(kind, task);
        const returned = await tracing.run(task, kind, (spanContext) => {
          within = spanContext;
          return runWithContext(call.context, begun);
        });
        answer = completedAnswer(held, returned, kind, converter, (command) => outgoing(call, command, within));
      }
    } catch (thrown) {
      if (beganAtMs === undefined) answer = failedAnswer(held, thrown, converter);
      else if (kind !== "activity" || !isA(thrown, CompleteAsyncError)) answer = thrownAnswer(held, thrown, converter);
    }
    if (beganAtMs !== undefined) metrics?.ended(kind, task.type, outcomeOf(answer), clock.now() - beganAtMs);
    if (answer === undefined) {
      this.#handOver(held);
    } else {
      if (messageCodec !== undefined) answer = await encodedAnswer(held, answer, messageCodec, this.#log(held));
      this.#ended(held, checkedAnswer(held, answer, converter));
    }
    this.#running.delete(held);
    this.#checkIdle();
  }

  /** The handler with its arguments; else the answer to a type that has none, or why the arguments cannot be read. */
  #beginning(
    { task }: HeldTask,
    kind: TaskKind,
    run: ((args: readonly unknown[]) => unknown) | undefined,
  ): (() => unknown) | TaskAnswer | ApplicationFailure {
    if (run === undefined) return releasedAnswer(task.token, `this worker has no ${kind} handler ${task.type}`);
    const args = decodeArgs(task, this.#options.client);
    return args instanceof ApplicationFailure ? args : () => run(args);
  }

  #handlerOf(kind: TaskKind, type: string, call: HandlerCall): ((args: readonly unknown[]) => unknown) | undefined {
    const { activities, workflows } = this.#options;
    if (kind === "activity") {
      const activity = activities.get(type);
      return activity && ((args) => call.activity(activity, args));
    }
    const workflow = workflows.get(type);
    return workflow && ((args) => call.workflow(workflow, args));
  }

  /** A handler has ended with an answer. */
  #ended(held: HeldTask, answer: TaskAnswer): void {
    held.handlerEnded();
    if (answer.answer.case === "failed") this.#forgetCached(held);
    switch (held.state) {
      case "running":
        this.#answer(held, answer);
        return;
      case "lost":
        this.#dropped(held);
        return;
      case "answering":
      case "answered":
      case "handed-over":
        // It was given back while it ran, at the end of a shutdown.
        return;
    }
  }

  /** A handler has ended and leaves the outcome to somebody else. */
  #handOver(held: HeldTask): void {
    if (held.state === "running") {
      held.handOver();
      return;
    }
    held.handlerEnded();
    if (held.state === "lost") this.#dropped(held);
  }

  /** What a handler kept may be half of what it meant to, or be behind what another worker does with the key. */
  #forgetCached({ task }: HeldTask): void {
    if (task.serialKey !== "") this.#options.around.cache.delete(task.serialKey);
  }

  #answer(held: HeldTask, answer: TaskAnswer): void {
    held.answering();
    this.#options.session.answer(answer, held);
  }

  #dropped(held: HeldTask): void {
    this.#forgetCached(held);
    this.#metrics?.leaseLost(kindOf(held), held.task.type);
    this.#log(held).warn(
      {},
      "An answer was dropped: the lease was lost, and the task is another worker's now, or closed",
    );
  }

  #log(held: HeldTask): Logger {
    return taskLogger(held, this.#options.logger);
  }

  #checkIdle(): void {
    if (this.#running.size === 0) for (const listener of this.#onIdle.splice(0)) listener();
  }
}

function kindOf(held: HeldTask): TaskKind {
  return kindName(held.task.taskQueue?.kind);
}

/** A command as it goes out: as the interceptors have it, with the handler's trace. */
function outgoing(call: HandlerCall, command: WorkflowCommand, within: TraceContext | undefined): WorkflowCommand {
  const intercepted = call.outgoing(command);
  return within === undefined ? intercepted : tracedCommand(intercepted, within);
}

function outcomeOf(answer: TaskAnswer | undefined): HandlerOutcome {
  return answer === undefined ? "handed-over" : (answer.answer.case ?? "failed");
}
