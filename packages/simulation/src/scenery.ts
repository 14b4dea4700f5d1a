/* The names that a run is played with. Few of each, so that everything meets everything. */
import { TaskQueueKind } from "@tq/proto";

/** A task queue, as messages name it. */
export interface QueueRef {
  readonly name: string;
  readonly kind: TaskQueueKind;
}

const { ACTIVITY, WORKFLOW } = TaskQueueKind;

/** Spaces of names that share nothing: queues, keys and worker ids are the same in both. */
export const namespaces: readonly string[] = ["default", "team"];

/** The namespace that an id was made for. Ids of the second begin with its name. */
export function namespaceOf(id: string): string {
  return namespaces.find((namespace) => id.startsWith(`${namespace}.`)) ?? "default";
}

/** The queue of one worker: what is added there is for that worker, and falls back to others. */
export function ownQueue(workerId: string): QueueRef {
  return { name: `own-${workerId}`, kind: ACTIVITY };
}

export const activityQueues: readonly QueueRef[] = [
  { name: "payments", kind: ACTIVITY },
  { name: "mail", kind: ACTIVITY },
  { name: "host-7", kind: ACTIVITY },
];

/** Outcomes come to the first. */
export const workflowQueues: readonly QueueRef[] = [
  { name: "engine", kind: WORKFLOW },
  { name: "payments", kind: WORKFLOW },
];

export const queues: readonly QueueRef[] = [...activityQueues, ...workflowQueues];

export const activityTypes: readonly string[] = ["charge", "ship", "notify"];
export const workflowTypes: readonly string[] = ["order", "refund"];

/** What a worker's code can run. */
export interface Build {
  readonly id: string;
  /** Undefined: registers nothing, and takes everything. */
  readonly activityTypes: readonly string[] | undefined;
  readonly workflowTypes: readonly string[];
}

/** Two versions, of which the second rolls out, and a worker that takes everything. */
export const builds: readonly Build[] = [
  { id: "v1", activityTypes: ["charge", "ship"], workflowTypes: ["order"] },
  { id: "v2", activityTypes: ["charge", "notify"], workflowTypes: ["order", "refund"] },
  { id: "any", activityTypes: undefined, workflowTypes: [] },
];

export const fairnessKeys: readonly string[] = ["", "ann", "bob", "cyd"];
export const weights: readonly number[] = [1, 1, 3, 0.5];
export const serialKeys: readonly string[] = ["order-1", "order-2", "order-3"];

/** Ms as a message has them. */
export function duration(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
}
