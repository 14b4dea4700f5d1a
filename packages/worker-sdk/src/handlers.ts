import type { ClosedTask } from "@tq/client";
import { invalidField, requireRecord, shown, withMethods } from "@tq/client/internal";
import type { WorkflowCommand } from "./commands.ts";
import type { Context } from "./context.ts";

/** A workflow task, as its handler gets it. `Args` are the arguments that the task was added with. */
export interface WorkflowTask<Args extends readonly unknown[] = readonly unknown[]> {
  readonly id: string;
  readonly run: number;
  /** The name that the handler is registered under. */
  readonly type: string;
  readonly taskQueue: string;
  /** 1 for the first attempt of this run. */
  readonly attempt: number;
  /** Of the tasks with one serial key, one runs at a time. Empty if the task has none. */
  readonly serialKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly args: Args;
  /** Set on a task that was added because another one closed: which, how, and the context that was given for it. */
  readonly closedTask: ClosedTask | undefined;
}

/** What a workflow handler answers. */
export interface WorkflowCompletion<Result = unknown> {
  /** Carried out in the transaction of the answer, in order, all or none; at most 1,000. Default none. */
  readonly commands?: readonly WorkflowCommand[];
  /** Result of the workflow task. Default none. */
  readonly result?: Result;
}

/**
 * Handles workflow tasks of one type. It is called once for each event of a workflow, at least once: tq keeps no workflow
 * history, the engine that the handler belongs to does. A throw is a failed attempt.
 */
export type WorkflowHandler<Args extends readonly unknown[] = readonly unknown[], Result = unknown> = (
  task: WorkflowTask<Args>,
  context: Context,
) => Promise<WorkflowCompletion<Result> | void> | WorkflowCompletion<Result> | void;

/**
 * A workflow handler of whatever arguments: that a task brings those that its handler expects is between the handler and
 * who adds the task. Written as a method, whose parameters the compiler compares both ways.
 */
export type AnyWorkflowHandler = {
  handle(task: WorkflowTask, context: Context): ReturnType<WorkflowHandler>;
}["handle"];

/** Workflow handlers by their types. */
export type WorkflowHandlers = Readonly<Record<string, AnyWorkflowHandler>>;

/** An activity: a plain function of the task's arguments. Its result is the task's. */
export type ActivityHandler = (...args: unknown[]) => unknown;

/**
 * The activities among the properties of an object or module, by name; called with the object as `this`.
 *
 * @throws TqError `invalid_argument` naming `activities`.
 */
export function activityHandlers(activities: object): ReadonlyMap<string, ActivityHandler> {
  withMethods(activities, "activities", []);
  const handlers = new Map<string, ActivityHandler>();
  for (const [name, value] of Object.entries(activities) as [string, unknown][]) {
    if (typeof value !== "function") continue;
    handlers.set(name, (...args) => Reflect.apply(value, activities, args) as unknown);
  }
  return handlers;
}

/** The workflow handlers by type. @throws TqError `invalid_argument` naming what is no function. */
export function workflowHandlers(workflows: WorkflowHandlers): ReadonlyMap<string, AnyWorkflowHandler> {
  requireRecord(workflows, "workflows");
  const handlers = Object.entries(workflows);
  for (const [type, handler] of handlers) {
    const given: unknown = handler;
    if (typeof given !== "function") throw invalidField(`workflows.${type}`, `${shown(given)} is no function`);
  }
  return new Map(handlers);
}
