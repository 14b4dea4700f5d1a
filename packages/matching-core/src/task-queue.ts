/** The two kinds of queue under one name. They share nothing but the name. */
export type TaskQueueKind = "activity" | "workflow";

/** Names a task queue: (namespace, name, kind). */
export interface TaskQueue {
  readonly namespace: string;
  readonly name: string;
  readonly kind: TaskQueueKind;
}

/**
 * One that knows its key once that was asked for: for those of a call, which are looked up in one map after the other. Each
 * new string would be put together and hashed anew.
 */
export class KeyedTaskQueue implements TaskQueue {
  readonly namespace: string;
  readonly name: string;
  readonly kind: TaskQueueKind;
  #key: string | undefined;

  constructor(namespace: string, name: string, kind: TaskQueueKind) {
    this.namespace = namespace;
    this.name = name;
    this.kind = kind;
  }

  /** See {@link taskQueueKey}. */
  get key(): string {
    return (this.#key ??= keyOf(this));
  }
}

/**
 * One string for one queue, for maps. Namespaces and names have no control characters, so the separator is safe, and
 * the keys of two queues are equal only if the queues are.
 */
export function taskQueueKey(queue: TaskQueue): string {
  return queue instanceof KeyedTaskQueue ? queue.key : keyOf(queue);
}

function keyOf({ namespace, name, kind }: TaskQueue): string {
  return `${namespace}\u0000${name}\u0000${kind}`;
}
