import type { Next } from "@tq/client";
import type { WorkflowCommand } from "./commands.ts";
import type { Context } from "./context.ts";
import type { WorkflowCompletion, WorkflowTask } from "./handlers.ts";

/** An activity is about to run. */
export interface ActivityExecuteInput {
  readonly args: readonly unknown[];
  readonly headers: Readonly<Record<string, string>>;
}

/** A handler says that it is alive. */
export interface HeartbeatInput {
  readonly details: unknown;
}

/** A workflow task is about to be handled. */
export interface WorkflowTaskExecuteInput {
  readonly task: WorkflowTask;
  readonly headers: Readonly<Record<string, string>>;
}

/** A workflow handler has returned a command. */
export interface ScheduleInput {
  readonly command: WorkflowCommand;
}

/** Stands between the worker and an activity. */
export interface ActivityInboundCallsInterceptor {
  /** May change arguments and result, or do something before, after and in case of an error. What it throws fails the attempt. */
  execute?(input: ActivityExecuteInput, next: Next<this, "execute">): Promise<unknown>;
}

/** Stands between an activity and the worker. */
export interface ActivityOutboundCallsInterceptor {
  /** May change the details of a heartbeat, or keep it back. */
  heartbeat?(input: HeartbeatInput, next: Next<this, "heartbeat">): void;
}

/** The interceptors of one attempt of an activity. */
export interface ActivityInterceptors {
  readonly inbound?: ActivityInboundCallsInterceptor;
  readonly outbound?: ActivityOutboundCallsInterceptor;
}

/** Stands between the worker and a workflow handler. */
export interface WorkflowInboundCallsInterceptor {
  /** May change the task and the completion. What it throws fails the attempt. */
  execute?(input: WorkflowTaskExecuteInput, next: Next<this, "execute">): Promise<WorkflowCompletion | void>;
}

/** Stands between a workflow handler and the worker. */
export interface WorkflowOutboundCallsInterceptor {
  /** May change the details of a heartbeat, or keep it back. */
  heartbeat?(input: HeartbeatInput, next: Next<this, "heartbeat">): void;
  /** May change a command, such as its headers. Called for each in order. */
  schedule?(input: ScheduleInput, next: Next<this, "schedule">): WorkflowCommand;
}

/** The interceptors of one attempt of a workflow task. */
export interface WorkflowInterceptors {
  readonly inbound?: WorkflowInboundCallsInterceptor;
  readonly outbound?: WorkflowOutboundCallsInterceptor;
}

/** Makes the interceptors of one attempt, so that inbound and outbound can share what they know. */
export type ActivityInterceptorsFactory = (context: Context) => ActivityInterceptors;

/** Makes the interceptors of one attempt, so that inbound and outbound can share what they know. */
export type WorkflowInterceptorsFactory = (context: Context) => WorkflowInterceptors;

/** Interceptors of a worker; of several the first is the outermost. What a factory throws fails the attempt. */
export interface WorkerInterceptors {
  readonly activity?: readonly ActivityInterceptorsFactory[];
  readonly workflow?: readonly WorkflowInterceptorsFactory[];
}
