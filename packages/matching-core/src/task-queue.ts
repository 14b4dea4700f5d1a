/** The two kinds of queue under one name. They share nothing but the name. */
export type TaskQueueKind = "activity" | "workflow";

/** Names a task queue: (namespace, name, kind). */
export interface TaskQueue {
  readonly namespace: string;
  readonly name: string;
  readonly kind: TaskQueueKind;
}

/**
 * One string for one queue, for maps. Namespaces and names have no control characters, so the separator is safe, and
 * the keys of two queues are equal only if the queues are.
 */
export function taskQueueKey(queue: TaskQueue): string {
  return `${queue.namespace}\u0000${queue.name}\u0000${queue.kind}`;
}
