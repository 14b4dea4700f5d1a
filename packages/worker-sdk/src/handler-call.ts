import type { Client, Clock, Next } from "@tq/client";
import { composeInterceptors } from "@tq/client/internal";
import type { WorkflowCommand } from "./commands.ts";
import { Context, type ContextParts, type TaskInfo } from "./context.ts";
import type { HandlerCache, TaskCache } from "./handler-cache.ts";
import type { ActivityHandler, AnyWorkflowHandler, WorkflowTask } from "./handlers.ts";
import type { HeldTask } from "./held-task.ts";
import type {
  ActivityOutboundCallsInterceptor,
  WorkerInterceptors,
  WorkflowOutboundCallsInterceptor,
} from "./interceptors.ts";
import { type Logger, withFields } from "./logger.ts";
import { taskInfo, type WorkerFacts } from "./task-info.ts";

/** What all handlers of a worker share. */
export interface HandlerSurroundings {
  readonly client: Client;
  readonly logger: Logger;
  readonly worker: WorkerFacts;
  readonly cache: HandlerCache;
  readonly interceptors: WorkerInterceptors;
  readonly heartbeat: (held: HeldTask, details: unknown) => void;
}

/** One call of a handler: what its context is made of, each part when it is asked for, and what stands around it. */
export class HandlerCall implements ContextParts {
  readonly held: HeldTask;
  readonly context: Context;
  readonly #around: HandlerSurroundings;
  #info: TaskInfo | undefined;
  #log: Logger | undefined;
  #cache: TaskCache | undefined;
  #heartbeat: Next<ActivityOutboundCallsInterceptor, "heartbeat"> | undefined;
  #schedule: Next<WorkflowOutboundCallsInterceptor, "schedule"> | undefined;

  constructor(held: HeldTask, around: HandlerSurroundings) {
    this.held = held;
    this.#around = around;
    this.context = new Context(this);
  }

  get info(): TaskInfo {
    return (this.#info ??= taskInfo(this.held.task, this.#around.client, this.#around.worker));
  }

  get cancellationSignal(): AbortSignal {
    return this.held.signal;
  }

  get log(): Logger {
    return (this.#log ??= taskLogger(this.held, this.#around.logger));
  }

  get clock(): Clock {
    return this.#around.client.config.clock;
  }

  get client(): Client {
    return this.#around.client;
  }

  get cache(): TaskCache {
    return (this.#cache ??= this.#around.cache.ofTask(this.held.task.serialKey));
  }

  heartbeat(details: unknown): void {
    if (this.#heartbeat === undefined) this.#around.heartbeat(this.held, details);
    else this.#heartbeat({ details });
  }

  /** Runs an activity with what stands around it. */
  activity(handler: ActivityHandler, args: readonly unknown[]): unknown {
    const { activity: factories } = this.#around.interceptors;
    if (factories === undefined || factories.length === 0) return handler(...args);
    const interceptors = factories.map((make) => make(this.context));
    this.#heartbeat = this.#composeHeartbeat(interceptors.flatMap(({ outbound }) => outbound ?? []));
    const inbound = interceptors.flatMap((each) => each.inbound ?? []);
    const run = composeInterceptors(inbound, "execute", async (input) => handler(...input.args));
    return run({ args, headers: this.held.task.headers });
  }

  /** Runs a workflow handler with what stands around it. */
  workflow(handler: AnyWorkflowHandler, args: readonly unknown[]): ReturnType<AnyWorkflowHandler> {
    const { workflow: factories } = this.#around.interceptors;
    const task = this.#workflowTask(args);
    if (factories === undefined || factories.length === 0) return handler(task, this.context);
    const interceptors = factories.map((make) => make(this.context));
    const outbound = interceptors.flatMap((each) => each.outbound ?? []);
    this.#heartbeat = this.#composeHeartbeat(outbound);
    this.#schedule = composeInterceptors(outbound, "schedule", ({ command }) => command);
    const inbound = interceptors.flatMap((each) => each.inbound ?? []);
    const run = composeInterceptors(inbound, "execute", async (input) => handler(input.task, this.context));
    return run({ task, headers: task.headers });
  }

  /** A command as it goes out. */
  outgoing(command: WorkflowCommand): WorkflowCommand {
    return this.#schedule === undefined ? command : this.#schedule({ command });
  }

  #composeHeartbeat(outbound: readonly ActivityOutboundCallsInterceptor[]) {
    return composeInterceptors(outbound, "heartbeat", ({ details }) => this.#around.heartbeat(this.held, details));
  }

  /** The task as a workflow handler gets it. */
  #workflowTask(args: readonly unknown[]): WorkflowTask {
    const { id, run, type, taskQueue, attempt, serialKey, headers, closedTask } = this.held.task;
    return {
      id,
      run,
      type,
      taskQueue: taskQueue?.name ?? "",
      attempt,
      serialKey,
      headers,
      args,
      closedTask: closedTask && this.info.closedTask,
    };
  }
}

/** The worker's logger with the fields of a task. */
export function taskLogger(held: HeldTask, logger: Logger): Logger {
  const { id, type, attempt, taskQueue } = held.task;
  return withFields(logger, { taskId: id, type, attempt, taskQueue: taskQueue?.name });
}
