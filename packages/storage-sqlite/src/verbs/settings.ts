/* What operators set on a queue: its configuration, a pause, a drain. All of it takes effect with the same commit. */
import {
  noConfig,
  type ConfigField,
  type ConfigureOperation,
  type ConfigureResult,
  type DrainOperation,
  type DrainResult,
  type PauseOperation,
  type PauseResult,
  type Refusal,
  type ResumeOperation,
  type ResultOf,
  type ResumeResult,
  type TaskQueueConfig,
} from "@tq/storage";
import { rateLimit } from "../key-limits.ts";
import { isPaused, readConfig, writeConfig } from "../queue-settings.ts";
import type { QueueState } from "../queues.ts";
import type { Transaction } from "../transaction.ts";
import { rateChanged } from "./limits.ts";
import { once, type AnswerCodec } from "./requests.ts";

type SettingsOperation = ConfigureOperation | PauseOperation | ResumeOperation | DrainOperation;

/** Changes the named fields of a queue's configuration. */
export function configure(tx: Transaction, operation: ConfigureOperation): ConfigureResult {
  const { queue: name, fields, to, expectedRevision } = operation;
  const refuse = (refused: Refusal): ConfigureResult => ({ verb: "configure", refused });
  const run = (): ConfigureResult => {
    const present = tx.parts.queues.find(name)?.config ?? noConfig;
    if (expectedRevision !== undefined && expectedRevision !== present.revision) {
      return refuse({ reason: "revision-mismatch", index: 0, subject: String(present.revision) });
    }
    const queue = use(tx, operation);
    const config = { ...changed(present, fields, to), revision: tx.parts.numbers.next() };
    const hadKeyLimits = queue.hasKeyLimits;
    tx.parts.queues.configure(queue, config);
    if (hadKeyLimits || queue.hasKeyLimits) {
      tx.parts.order.lanes.flush();
      tx.parts.limits.reconfigured(queue, present, tx.now);
    }
    const before = rateLimit(present.ratePerSecond ?? queue.askedRate, present.burst);
    rateChanged(tx, queue, before, rateLimit(config.ratePerSecond, config.burst));
    tx.touch(queue);
    return { verb: "configure", config };
  };
  return onceOnNamespace<ConfigureOperation>(tx, operation, refuse, run, keptConfig);
}

/** A configuration has a map in it, which JSON has not. */
const keptConfig: AnswerCodec<ConfigureResult> = {
  write: (result) => ("refused" in result ? "" : JSON.stringify([result.config.revision, writeConfig(result.config)])),
  read: (text) => {
    const [revision, config] = JSON.parse(text) as [number, string | null];
    return { verb: "configure", config: readConfig(revision, config) };
  },
};

/** Stops dispatch. */
export function pause(tx: Transaction, operation: PauseOperation): PauseResult {
  const { action, until } = operation;
  const refuse = (refused: Refusal): PauseResult => ({ verb: "pause", refused });
  return onceOnNamespace<PauseOperation>(tx, operation, refuse, () => {
    const queue = use(tx, operation);
    clearPauseTimer(tx, queue);
    const since = isPaused(queue.pause, tx.now) ? (queue.pause?.since ?? tx.now) : tx.now;
    const { actor, reason } = action;
    queue.pause = { actor, reason, since, ...(until !== undefined && { until }) };
    if (until !== undefined) tx.parts.timers.set("resume", until, queue.id);
    tx.parts.queues.changed(queue);
    return { verb: "pause", pause: queue.pause };
  });
}

/** Undoes a pause and a drain. */
export function resume(tx: Transaction, operation: ResumeOperation): ResumeResult {
  const refuse = (refused: Refusal): ResumeResult => ({ verb: "resume", refused });
  return onceOnNamespace<ResumeOperation>(tx, operation, refuse, () => {
    const queue = tx.parts.queues.find(operation.queue);
    const wasPaused = isPaused(queue?.pause, tx.now);
    const wasDraining = queue?.drain !== undefined;
    if (queue !== undefined) {
      endPause(tx, queue);
      queue.drain = undefined;
      tx.parts.queues.changed(queue);
    }
    note(tx, operation);
    return { verb: "resume", wasPaused, wasDraining };
  });
}

/** Refuses adds. */
export function drain(tx: Transaction, operation: DrainOperation): DrainResult {
  const refuse = (refused: Refusal): DrainResult => ({ verb: "drain", refused });
  return onceOnNamespace<DrainOperation>(tx, operation, refuse, () => {
    const queue = useUnnoted(tx, operation);
    const event = note(tx, operation);
    const { actor, reason } = operation.action;
    queue.drain = { actor, reason, since: queue.drain?.since ?? tx.now };
    tx.parts.queues.changed(queue);
    return { verb: "drain", drain: queue.drain, event };
  });
}

/** Ends up to `limit` pauses whose time is over. */
export function endPauses(tx: Transaction, limit: number): void {
  const { timers, queues } = tx.parts;
  for (const { seq } of timers.due("resume", tx.now, limit)) endPause(tx, queues.byId(seq));
}

/** Dispatch goes on, if it was paused. */
export function endPause(tx: Transaction, queue: QueueState): void {
  clearPauseTimer(tx, queue);
  if (queue.pause === undefined) return;
  queue.pause = undefined;
  tx.parts.queues.changed(queue);
  tx.touch(queue);
}

function clearPauseTimer(tx: Transaction, { id, pause: present }: QueueState): void {
  if (present?.until !== undefined) tx.parts.timers.clear("resume", present.until, id);
}

/** The queue of an operation, which is created if need be; and the event. */
function use(tx: Transaction, operation: SettingsOperation): QueueState {
  note(tx, operation);
  return useUnnoted(tx, operation);
}

function useUnnoted(tx: Transaction, operation: SettingsOperation): QueueState {
  return tx.parts.queues.use(operation.queue, () => tx.parts.numbers.next());
}

/** Answers the number of the event. */
function note(tx: Transaction, { queue, action }: SettingsOperation): number {
  return tx.parts.events.add(tx.parts.namespaces.idOf(queue.namespace) ?? 0, tx.now, action, { queue });
}

/** Once for each request id, and only in a namespace that exists. */
function onceOnNamespace<O extends SettingsOperation>(
  tx: Transaction,
  operation: O,
  refuse: (refused: Refusal) => ResultOf<O>,
  run: () => ResultOf<O>,
  codec?: AnswerCodec<ResultOf<O>>,
): ResultOf<O> {
  const { namespace, name, kind } = operation.queue;
  if (tx.parts.namespaces.idOf(namespace) === undefined) {
    return refuse({ reason: "namespace-not-found", index: 0, subject: namespace });
  }
  return once<O>(
    tx,
    operation.verb,
    operation.request,
    () => [name, kind, operation.action.request],
    run,
    refuse,
    codec,
  );
}

/** The configuration with these fields taken from another; what is absent there is at its default again. */
function changed(
  present: TaskQueueConfig,
  fields: readonly ConfigField[],
  to: Omit<TaskQueueConfig, "revision">,
): TaskQueueConfig {
  const named = new Set<string>(fields);
  const keep = Object.entries(present).filter(([field]) => !named.has(field));
  const take = Object.entries(to).filter(([field, value]) => named.has(field) && value !== undefined);
  return { ...noConfig, ...Object.fromEntries([...keep, ...take]) };
}
