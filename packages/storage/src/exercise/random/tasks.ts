import type { Priority, TaskQueue } from "@tq/matching-core";
import type { FallbackRecord, NewTask } from "../../records.ts";
import { activities, bytes, newTask, retryPolicy, workflows } from "../driver.ts";
import type { Dice } from "./dice.ts";

/** The queues of a walk. Their names differ, so that a name alone says which one is meant. */
export const queues: readonly TaskQueue[] = [activities, { ...activities, name: "q2" }, workflows];
/** The types of its tasks; those that are added on close have another. */
export const types = ["x", "y", "z"];

/** A task to add, of whatever kind. */
export function randomTask(dice: Dice, id: string): NewTask {
  const queue = dice.of(queues);
  return newTask({
    id,
    queue,
    type: dice.of(types),
    input: bytes(id),
    priority: dice.of<Priority>([1, 3, 3, 3, 5]),
    fairnessKey: dice.of(["", "k1", "k1", "k2"]),
    // A weight of 1000 behind one of 0.001 makes a key heavy at once.
    fairnessWeight: dice.of([0.001, 1, 1, 1_000, 1_000]),
    idPolicy: dice.of(["reject", "allow", "allow-if-dead"] as const),
    startDelayMs: dice.once(5) ? 100 * (1 + dice.below(20)) : 0,
    timeouts: {
      startToCloseMs: dice.once(4) ? 500 + 500 * dice.below(4) : 0,
      ...(dice.once(5) && { scheduleToStartMs: 500 + 500 * dice.below(4) }),
      ...(dice.once(6) && { scheduleToCloseMs: 1_000 + 1_000 * dice.below(5) }),
    },
    retryPolicy: { ...retryPolicy, maximumAttempts: dice.below(4), initialIntervalMs: dice.of([0, 200, 1_000]) },
    ...(dice.once(3) && { serialKey: dice.of(["s1", "s2"]) }),
    ...(dice.once(2) && { retentionMs: dice.of([0, 0, 1_000]) }),
    ...(queue.kind === "activity" && dice.once(3) && { fallback: randomFallback(dice, queue) }),
    ...(dice.once(4) && {
      onClose: {
        queueName: workflows.name,
        type: "closed",
        ...(dice.once(2) && { serialKey: "s1" }),
        context: bytes("c"),
      },
    }),
  });
}

/** The other queue of its kind, where it may be something else. */
function randomFallback(dice: Dice, { name }: TaskQueue): FallbackRecord {
  return {
    queueName: name === "q" ? "q2" : "q",
    ...(dice.once(2) && { type: dice.of(types) }),
    ...(dice.once(2) && { input: bytes("less") }),
  };
}

/** What matters about a task, in a few words. */
export function brief({
  id,
  type,
  priority,
  fairnessKey,
  fairnessWeight,
  serialKey,
  queue,
  startDelayMs,
  timeouts,
  fallback,
}: NewTask): string {
  const { scheduleToStartMs = 0, scheduleToCloseMs = 0 } = timeouts;
  const key = `k=${fairnessKey}*${fairnessWeight} s=${serialKey ?? ""}`;
  const times = `+${startDelayMs} start ${scheduleToStartMs} close ${scheduleToCloseMs}`;
  return `${id}(${queue.name} ${type} p${priority} ${key} ${times}${fallback ? ` else ${fallback.queueName}` : ""})`;
}
