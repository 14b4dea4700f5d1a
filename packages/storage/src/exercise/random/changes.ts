import type { TaskChange } from "../../operator-operations.ts";
import type { TaskFilter } from "../../store.ts";
import type { Dice } from "./dice.ts";
import type { ModelTask } from "./model.ts";
import { queues, types } from "./tasks.ts";

/** Something for an operator to do to many tasks. */
export function randomChange(dice: Dice): TaskChange {
  switch (dice.below(6)) {
    case 0:
      return { kind: "purge", silent: dice.once(2) };
    case 1:
      return { kind: "release" };
    case 2:
    case 3:
      return { kind: "redrive" };
    default:
      return { kind: "move", to: dice.of(queues) };
  }
}

/** To which: as the store is told, and as the model has it. */
export function randomFilter(
  dice: Dice,
  ids: readonly string[],
): { readonly filter: TaskFilter; readonly matches: (task: ModelTask) => boolean } {
  const filter: TaskFilter = {
    ...(dice.once(2) && { queueName: dice.of(queues).name }),
    ...(dice.once(4) && { queueKind: dice.of(["activity", "workflow"] as const) }),
    ...(dice.once(4) && { types: dice.some(types) }),
    ...(dice.once(4) && { priorities: [3] }),
    ...(dice.once(6) && { states: dice.of([["ready"], ["started", "failed"]] as const) }),
    ...(dice.once(6) && { serialKeys: ["s1"] }),
    ...(dice.once(6) && { workerIds: ["w1"] }),
    ...(dice.once(6) && { failureType: "Canceled" }),
    ...(dice.once(3) && { ids: [dice.of(ids), dice.of(ids), dice.of(ids)] }),
  };
  const matches = ({ spec, state, lease, closedBy, lastFailureOfAll }: ModelTask) =>
    (filter.queueName ?? spec.queue.name) === spec.queue.name &&
    (filter.queueKind ?? spec.queue.kind) === spec.queue.kind &&
    among(filter.types, spec.type) &&
    among(filter.priorities, spec.priority) &&
    among(filter.states, state === "waiting" ? "ready" : state) &&
    among<string | undefined>(filter.serialKeys, spec.serialKey) &&
    among<string | undefined>(filter.workerIds, lease?.workerId) &&
    (filter.failureType === undefined || filter.failureType === (closedBy ?? lastFailureOfAll)) &&
    among(filter.ids, spec.id);
  return { filter, matches };
}

function among<Value>(values: readonly Value[] | undefined, value: Value): boolean {
  return values === undefined || values.includes(value);
}
