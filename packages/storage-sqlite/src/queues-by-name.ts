import type { TaskQueue, TaskQueueKind } from "@tq/matching-core";

type OfNamespace<State> = Readonly<Record<TaskQueueKind, Map<string, State>>>;

/**
 * Queues by what names them. Not by one string of it all: it would be put together and hashed for each task that is added,
 * which costs more than to look three times.
 */
export class QueuesByName<State extends { readonly queue: TaskQueue }> {
  readonly #namespaces = new Map<string, OfNamespace<State>>();

  get({ namespace, name, kind }: TaskQueue): State | undefined {
    return this.#namespaces.get(namespace)?.[kind].get(name);
  }

  add(state: State): void {
    const { namespace, name, kind } = state.queue;
    let ofNamespace = this.#namespaces.get(namespace);
    if (ofNamespace === undefined) {
      ofNamespace = { activity: new Map(), workflow: new Map() };
      this.#namespaces.set(namespace, ofNamespace);
    }
    ofNamespace[kind].set(name, state);
  }

  delete({ queue: { namespace, name, kind } }: State): void {
    const ofNamespace = this.#namespaces.get(namespace);
    if (ofNamespace === undefined) return;
    ofNamespace[kind].delete(name);
    if (ofNamespace.activity.size === 0 && ofNamespace.workflow.size === 0) this.#namespaces.delete(namespace);
  }

  clear(): void {
    this.#namespaces.clear();
  }
}
