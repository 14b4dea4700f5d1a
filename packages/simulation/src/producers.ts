import { CancelStatus } from "@tq/proto";
import { newTask } from "./new-tasks.ts";
import type { Random } from "./random.ts";
import type { Repeater } from "./repeater.ts";
import { namespaces, type QueueRef } from "./scenery.ts";

const batchSizes = [
  { item: 1, weight: 4 },
  { item: 3, weight: 4 },
  { item: 8, weight: 2 },
];

/** Adds tasks, and cancels some. */
export class Producers {
  /** Every id that was ever asked for, by namespace. */
  readonly #ids = new Map<string, string[]>(namespaces.map((namespace) => [namespace, []]));
  readonly #random: Random;
  readonly #repeater: Repeater;

  /** Queues of single workers, of now and of before. */
  readonly #ownQueues: (namespace: string) => readonly QueueRef[];

  constructor(random: Random, repeater: Repeater, ownQueues: (namespace: string) => readonly QueueRef[]) {
    this.#random = random;
    this.#repeater = repeater;
    this.#ownQueues = ownQueues;
  }

  add(): void {
    const requestId = this.#repeater.requestId();
    const namespace = someNamespace(this.#random);
    const own = this.#ownQueues(namespace);
    const tasks = Array.from({ length: this.#random.weighted(batchSizes) }, () => {
      const queue = own.length > 0 && this.#random.chance(0.15) ? this.#random.pick(own) : undefined;
      return newTask(this.#random, this.newId(namespace), queue);
    });
    const ids = tasks.map(({ id }) => id ?? "");
    void this.#repeater.make({
      actor: "producer",
      request: { method: "add", requestId, ids },
      send: async (services, signal) => services.tasks.addTasks({ namespace, requestId, tasks }, { signal }),
      read: ({ tasks: added }) => ({
        method: "add",
        added: added.map(({ id, run, existed }) => ({ id, run, existed })),
      }),
    });
  }

  cancel(): void {
    const requestId = this.#repeater.requestId();
    const namespace = someNamespace(this.#random);
    // Now and then those of another namespace, which mean nothing here.
    const idsOf = this.#random.chance(0.1) ? someNamespace(this.#random) : namespace;
    const ids = this.#random.some((this.#ids.get(idsOf) ?? []).slice(-20), 0.15);
    const force = this.#random.chance(0.4);
    const reason = "not wanted any more";
    void this.#repeater.make({
      actor: "producer",
      request: { method: "cancel", requestId, ids, force },
      send: async (services, signal) =>
        services.tasks.cancelTasks({ namespace, requestId, ids, force, reason }, { signal }),
      read: ({ statuses }) => ({ method: "statuses", statuses: statuses.map((status) => CancelStatus[status]) }),
    });
  }

  /** An id for a task: a new one, or now and then one that has been used. */
  newId(namespace: string): string {
    const ids = this.#ids.get(namespace) ?? [];
    if (ids.length > 0 && this.#random.chance(0.08)) return this.#random.pick(ids);
    const number = `task-${ids.length + 1}`;
    const id = namespace === namespaces[0] ? number : `${namespace}.${number}`;
    ids.push(id);
    return id;
  }

  /** An id that has been used; undefined: there is none. */
  someId(namespace: string): string | undefined {
    const ids = this.#ids.get(namespace) ?? [];
    return ids.length === 0 ? undefined : this.#random.pick(ids);
  }
}

/** A namespace: mostly the first. */
export function someNamespace(random: Random): string {
  return random.weighted(namespaces.map((item, i) => ({ item, weight: i === 0 ? 4 : 1 })));
}
