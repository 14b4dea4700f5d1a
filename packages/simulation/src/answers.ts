import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CommandSchema, TaskAnswerSchema } from "@tq/proto";
import { newTask } from "./new-tasks.ts";
import type { Random } from "./random.ts";
import { activityQueues, duration, workflowQueues } from "./scenery.ts";

type Answer = NonNullable<MessageInitShape<typeof TaskAnswerSchema>["answer"]>;
type Command = MessageInitShape<typeof CommandSchema>;

/** What a worker knows of the task that it answers. */
export interface Answerable {
  readonly isWorkflow: boolean;
  readonly cancelRequested: boolean;
}

/** Where commands get ids from. */
export interface Ids {
  readonly newId: () => string;
  readonly someId: () => string | undefined;
}

/** One of the four ways to answer. `ids` undefined: no commands. */
export function someAnswer(random: Random, task: Answerable, ids: Ids | undefined): Answer {
  const kind = random.weighted([
    { item: "completed", weight: 11 } as const,
    { item: "failed", weight: 5 } as const,
    { item: "canceled", weight: task.cancelRequested ? 8 : 1 } as const,
    { item: "released", weight: 2 } as const,
  ]);
  switch (kind) {
    case "completed":
      return {
        case: "completed",
        value: {
          result: { body: { case: "text", value: `${random.int(1, 1_000)}` } },
          commands: task.isWorkflow && ids !== undefined ? someCommands(random, ids) : [],
        },
      };
    case "failed":
      return {
        case: "failed",
        value: {
          failure: {
            type: random.pick(["Oops", "Declined"]),
            message: "it did not work",
            nonRetryable: random.chance(0.1),
            ...(random.chance(0.1) && { nextRetryDelay: duration(random.int(0, 3_000)) }),
          },
        },
      };
    case "canceled":
      return { case: "canceled", value: {} };
    case "released":
      return { case: "released", value: { reason: "going home", toFallback: random.chance(0.3) } };
  }
}

/** Nothing but success. */
export const success: Answer = { case: "completed", value: { commands: [] } };

function someCommands(random: Random, ids: Ids): Command[] {
  return Array.from({ length: random.pick([0, 0, 1, 2]) }, () => someCommand(random, ids));
}

function someCommand(random: Random, ids: Ids): Command {
  switch (random.int(0, 3)) {
    case 0:
      return { command: { case: "addTask", value: { task: newTask(random, ids.newId()) } } };
    case 1: {
      const task = newTask(random, ids.newId(), random.pick(activityQueues));
      return { command: { case: "scheduleActivityTask", value: { task } } };
    }
    case 2: {
      const taskQueue = random.pick(workflowQueues);
      const delay = duration(random.int(0, 20_000));
      return { command: { case: "startTimer", value: { id: ids.newId(), taskQueue, type: "order", delay } } };
    }
    default: {
      const id = ids.someId() ?? "nobody";
      return { command: { case: "cancelTask", value: { id, reason: "the workflow says so" } } };
    }
  }
}
