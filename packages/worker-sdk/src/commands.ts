import { create } from "@bufbuild/protobuf";
import {
  type ActivityArgs,
  type ActivityName,
  type ActivityOptions,
  checkNewTask,
  createIdSource,
  type Duration,
  durationToMs,
  type IdSource,
  type NewTask,
  type PayloadConverter,
  systemClock,
  defaultPayloadConverter,
} from "@tq/client";
import {
  activityTask,
  durationMessage,
  encodeInput,
  encodeNewTask,
  invalidField,
  type KnownOptions,
  refuseUnknownOptions,
  requireRecord,
  requireText,
  shown,
} from "@tq/client/internal";
import { type Command, CommandSchema, TaskQueueKind } from "@tq/proto";

/** Something that a workflow task's answer asks for. Made by {@link commands}; carried out in the answer's transaction. */
export type WorkflowCommand =
  /** Adds a task; `id` is its id. */
  | { readonly command: "addTask"; readonly id: string; readonly task: NewTask }
  /** Adds an activity task; `id` is its id. */
  | { readonly command: "scheduleActivity"; readonly id: string; readonly task: NewTask }
  /** Adds a delayed workflow task; `id` is its id. */
  | { readonly command: "startTimer"; readonly id: string; readonly timer: WorkflowTimer }
  /** Cancels the task with this id, whatever it is. */
  | { readonly command: "cancelTask"; readonly id: string; readonly reason: string };

/** A timer: a workflow task that is added with a delay. */
export interface WorkflowTimer {
  /** Id of the workflow task that the timer is, to cancel it by. Default: a new UUIDv7. */
  readonly id?: string;
  /** The workflow queue that it fires on. */
  readonly taskQueue: string;
  /** Type of the workflow task. */
  readonly type: string;
  /** How long from the answer's commit. */
  readonly delay: Duration;
  readonly args?: readonly unknown[];
  readonly serialKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** 1 (first) to 5. Default 3. */
  readonly priority?: number;
  /**
   * Workflow queue that the timer moves to once it has fired and nobody has polled `taskQueue` for 10 s, or its worker
   * releases it to the fallback. Default none.
   */
  readonly fallbackTaskQueue?: string;
}

/** Schedules activities by name, their arguments checked by the compiler. `A` is as in `client.activity`. */
export interface ActivityScheduler<A extends object> {
  schedule<N extends ActivityName<A>>(name: N, ...args: ActivityArgs<A, N>): WorkflowCommand;
  /** The same activities with some options replaced, such as the id of the next task. */
  with(options: Partial<ActivityOptions<A>>): ActivityScheduler<A>;
}

const timerOptions: KnownOptions<WorkflowTimer> = {
  id: true,
  taskQueue: true,
  type: true,
  delay: true,
  args: true,
  serialKey: true,
  headers: true,
  priority: true,
  fallbackTaskQueue: true,
};

const newId: IdSource = createIdSource(systemClock);

/**
 * Makes commands. Each has the `id` of the task that it is about, made here unless given, so that an engine can write it
 * into its history before it answers.
 */
export const commands = Object.freeze({
  /** Adds a task to any queue, of either kind. */
  addTask(task: NewTask): WorkflowCommand {
    requireRecord(task, "task");
    const { id = newId() } = task;
    return { command: "addTask", id, task: { ...task, id } };
  },

  /** Adds an activity task. Give it an `onClose` to hear how it ends. */
  scheduleActivity(task: Omit<NewTask, "kind">): WorkflowCommand {
    requireRecord(task, "task");
    const { id = newId() } = task;
    return { command: "scheduleActivity", id, task: { ...task, id, kind: "activity" } };
  },

  /** Typed `scheduleActivity`: `commands.activity<typeof activities>({ taskQueue, onClose }).schedule("hash", path)`. */
  activity<A extends object>(options: ActivityOptions<A>): ActivityScheduler<A> {
    requireRecord(options, "options");
    return {
      schedule: (name, ...args) => commands.scheduleActivity(activityTask(options, name, args)),
      with: (more) => commands.activity<A>({ ...options, ...more }),
    };
  },

  /** Adds a workflow task that becomes ready after a delay. */
  startTimer(timer: WorkflowTimer): WorkflowCommand {
    refuseUnknownOptions(timer, timerOptions);
    const { delay, ...asTask } = timer;
    if (delay === undefined) throw invalidField("delay", "a timer needs to know how long it is");
    durationToMs(delay, "delay");
    const { fallbackTaskQueue, ...task } = asTask;
    if (fallbackTaskQueue !== undefined) requireText(fallbackTaskQueue, "fallbackTaskQueue");
    checkNewTask(task);
    const { id = newId() } = timer;
    return { command: "startTimer", id, timer: { ...timer, id } };
  },

  /** Cancels a task, or a timer that has not fired. One that is unknown or closed is no error. */
  cancelTask(id: string, options: { readonly reason?: string } = {}): WorkflowCommand {
    requireText(id, "id");
    refuseUnknownOptions(options, { reason: true });
    if (options.reason !== undefined) requireText(options.reason, "reason");
    return { command: "cancelTask", id, reason: options.reason ?? "" };
  },
});

/**
 * Finds out whether a command can travel, for an engine that writes its decision down before the worker sends it.
 *
 * @param converter that of the worker which is to send it. Default: the one that workers have unless they are given another.
 * @throws TqError `invalid_argument` naming what is wrong.
 */
export function checkCommand(command: WorkflowCommand, converter: PayloadConverter = defaultPayloadConverter): void {
  encodeCommand(command, converter);
}

/** The contract's message of a command. @throws TqError `invalid_argument` if something in it cannot travel. */
export function encodeCommand(command: WorkflowCommand, converter: PayloadConverter): Command {
  requireRecord(command, "command");
  switch (command.command) {
    case "addTask": {
      const task = encodeNewTask(command.task, converter, newId);
      return create(CommandSchema, { command: { case: "addTask", value: { task } } });
    }
    case "scheduleActivity": {
      const task = encodeNewTask(command.task, converter, newId);
      return create(CommandSchema, { command: { case: "scheduleActivityTask", value: { task } } });
    }
    case "startTimer": {
      const {
        taskQueue,
        type,
        delay,
        args = [],
        serialKey = "",
        headers = {},
        priority = 0,
        fallbackTaskQueue,
      } = command.timer;
      const value = {
        id: command.id,
        taskQueue: { name: taskQueue, kind: TaskQueueKind.WORKFLOW },
        type,
        delay: durationMessage(delay, "delay"),
        serialKey,
        input: encodeInput(args, converter),
        headers,
        priority,
        ...(fallbackTaskQueue !== undefined && {
          fallbackTaskQueue: { name: fallbackTaskQueue, kind: TaskQueueKind.WORKFLOW },
        }),
      };
      return create(CommandSchema, { command: { case: "startTimer", value } });
    }
    case "cancelTask":
      return create(CommandSchema, {
        command: { case: "cancelTask", value: { id: command.id, reason: command.reason } },
      });
    default:
      // Made by hand, or read out of a history of another version.
      throw invalidField(
        "command",
        `${shown(command satisfies never)} is no command: make it with one of \`commands\``,
      );
  }
}
