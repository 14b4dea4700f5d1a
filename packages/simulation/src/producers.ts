import { CancelStatus } from "@tq/proto";
import { newTask } from "./new-tasks.ts";
import type { Random } from "./random.ts";
import type { Repeater } from "./repeater.ts";

const batchSizes = [
  { item: 1, weight: 4 },
  { item: 3, weight: 4 },
  { item: 8, weight: 2 },
];

/** Adds tasks, and cancels some. */
export class Producers {
  /** Every id that was ever asked for. */
  readonly #ids: string[] = [];
  readonly #random: Random;
  readonly #repeater: Repeater;

  constructor(random: Random, repeater: Repeater) {
    this.#random = random;
    this.#repeater = repeater;
  }

  add(): void {
    const requestId = this.#repeater.requestId();
    const tasks = Array.from({ length: this.#random.weighted(batchSizes) }, () => newTask(this.#random, this.newId()));
    const ids = tasks.map(({ id }) => id ?? "");
    void this.#repeater.make({
      actor: "producer",
      request: { method: "add", requestId, ids },
      send: async (services, signal) => services.tasks.addTasks({ requestId, tasks }, { signal }),
      read: ({ tasks: added }) => ({
        method: "add",
        added: added.map(({ id, run, existed }) => ({ id, run, existed })),
      }),
    });
  }

  cancel(): void {
    const requestId = this.#repeater.requestId();
    const ids = this.#random.some(this.#ids.slice(-20), 0.15);
    const force = this.#random.chance(0.4);
    const reason = "not wanted any more";
    void this.#repeater.make({
      actor: "producer",
      request: { method: "cancel", requestId, ids, force },
      send: async (services, signal) => services.tasks.cancelTasks({ requestId, ids, force, reason }, { signal }),
      read: ({ statuses }) => ({ method: "statuses", statuses: statuses.map((status) => CancelStatus[status]) }),
    });
  }

  /** An id for a task: a new one, or now and then one that has been used. */
  newId(): string {
    if (this.#ids.length > 0 && this.#random.chance(0.08)) return this.#random.pick(this.#ids);
    const id = `task-${this.#ids.length + 1}`;
    this.#ids.push(id);
    return id;
  }

  /** An id that has been used; undefined: there is none. */
  someId(): string | undefined {
    return this.#ids.length === 0 ? undefined : this.#random.pick(this.#ids);
  }
}
