import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NewTaskSchema, RetryPolicySchema, TaskTimeoutsSchema } from "@tq/proto";
import { TaskQueueKind } from "@tq/proto";
import { Random } from "./random.ts";
import {
  activityQueues,
  activityTypes,
  duration,
  fairnessKeys,
  queues,
  serialKeys,
  weights,
  workflowQueues,
  workflowTypes,
  type QueueRef,
} from "./scenery.ts";

type NewTask = MessageInitShape<typeof NewTaskSchema>;

/** A task with everything that a task can have, each now and then; in this queue, or in any. */
export function newTask(random: Random, id: string, inQueue?: QueueRef): NewTask {
  const queue = inQueue ?? (random.chance(0.7) ? random.pick(activityQueues) : random.pick(workflowQueues));
  const types = queue.kind === TaskQueueKind.ACTIVITY ? activityTypes : workflowTypes;
  const isOwn = !queues.includes(queue);
  const fallsBack = isOwn || random.chance(0.2);
  return {
    id,
    taskQueue: queue,
    type: random.pick(types),
    input: [
      { body: { case: "text", value: `"${id}${"x".repeat(random.chance(0.15) ? random.int(500, 2_500) : 0)}"` } },
    ],
    priority: random.chance(0.6) ? 0 : random.int(1, 5),
    fairnessKey: random.pick(fairnessKeys),
    fairnessWeight: random.pick(weights),
    serialKey: random.chance(0.3) ? random.pick(serialKeys) : "",
    ...(random.chance(0.15) && { startDelay: duration(random.int(1, 30_000)) }),
    timeouts: newTimeouts(random),
    retryPolicy: newRetryPolicy(random),
    ...(random.chance(0.5) && { onClose: newOnClose(random, id) }),
    ...(fallsBack && {
      fallback: { taskQueue: random.pick(queues.filter(({ kind }) => kind === queue.kind)) },
    }),
    ...(random.chance(0.3) && { retention: duration(random.pick([0, 0, 1_000, 60_000])) }),
    idPolicy: random.int(0, 3),
  };
}

function newTimeouts(random: Random): MessageInitShape<typeof TaskTimeoutsSchema> {
  return {
    ...(random.chance(0.15) && { scheduleToStart: duration(random.int(1_000, 60_000)) }),
    ...(random.chance(0.3) && { startToClose: duration(random.pick([0, random.int(1_000, 40_000)])) }),
    ...(random.chance(0.15) && { scheduleToClose: duration(random.int(5_000, 300_000)) }),
    ...(random.chance(0.15) && { heartbeat: duration(random.int(2_000, 20_000)) }),
  };
}

function newRetryPolicy(random: Random): MessageInitShape<typeof RetryPolicySchema> {
  return {
    initialInterval: duration(random.pick([0, 100, 1_000, 5_000])),
    maximumInterval: duration(20_000),
    maximumAttempts: random.int(1, 5),
    nonRetryableFailureTypes: random.chance(0.2) ? ["Declined"] : [],
    ...(random.chance(0.5) && { jitter: random.pick([0, 0.5, 1]) }),
  };
}

function newOnClose(random: Random, id: string): NewTask["onClose"] {
  return {
    taskQueue: workflowQueues[0],
    type: random.pick(workflowTypes),
    serialKey: random.chance(0.5) ? random.pick(serialKeys) : "",
    context: { body: { case: "text", value: `"of ${id}"` } },
    priority: random.chance(0.7) ? 0 : random.int(1, 5),
    ...(chanceOf(id).chance(0.4) && { fallbackTaskQueue: workflowQueues[1] }),
  };
}

/** Chance that an id alone decides, so that seeds that have found something draw everything else as they did. */
function chanceOf(id: string): Random {
  return new Random(Buffer.from(id).reduce((hash, byte) => Math.imul(hash, 31) + byte, 7));
}
