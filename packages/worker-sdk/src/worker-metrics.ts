import {
  type Attributes,
  type BatchObservableResult,
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { TaskKind } from "@tq/client";
import type { DispatchedTask } from "@tq/proto";
import type { CacheStatus } from "./handler-cache.ts";
import type { EventLoopStatus } from "./lease-renewals.ts";
import type { SlotStatus } from "./renewal-messages.ts";

/** How a handler ended. */
export type HandlerOutcome = "completed" | "failed" | "canceled" | "released" | "handed-over";

/** What is read when metrics are collected. */
export interface ObservedWorker {
  readonly slots: () => SlotStatus;
  readonly cache: () => CacheStatus;
  /** Deliveries whose leases the worker keeps. */
  readonly heldTasks: () => number;
  readonly eventLoop: () => EventLoopStatus;
}

/** What a worker's measurements have in common. */
export interface WorkerMetricsOptions {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly observed: ObservedWorker;
}

interface KindInstruments {
  readonly scheduleToStart: Histogram;
  readonly execution: Histogram;
  readonly failed: Counter;
  readonly canceled: Counter;
}

/**
 * The usual measurements of a worker, by the OpenTelemetry API. Names are those of Temporal's workers where they measure the
 * same, with `tq_` in front. Times are in milliseconds.
 */
export class WorkerMetrics {
  readonly #common: Attributes;
  readonly #activity: KindInstruments;
  readonly #workflow: KindInstruments;
  readonly #pollLatency: Histogram;
  readonly #emptyPolls: Counter;
  readonly #leasesLost: Counter;
  /** Made once for each type: measuring makes no objects. */
  readonly #attributes = new Map<string, Attributes>();
  readonly #stopObserving: () => void;

  private constructor(meter: Meter, { namespace, taskQueue, observed }: WorkerMetricsOptions) {
    this.#common = { namespace, task_queue: taskQueue };
    this.#activity = kindInstruments(meter, "activity");
    this.#workflow = kindInstruments(meter, "workflow_task");
    this.#pollLatency = meter.createHistogram("tq_long_request_latency", {
      unit: "ms",
      description: "How long polls took, the waiting for a task included",
    });
    this.#emptyPolls = meter.createCounter("tq_poll_no_task", { description: "Polls that brought no task" });
    this.#leasesLost = meter.createCounter("tq_lease_lost", {
      description: "Deliveries whose lease was lost, and whose answer was dropped",
    });
    this.#stopObserving = observe(meter, this.#common, observed);
  }

  /** Unset where no OpenTelemetry SDK is registered for metrics: then nothing is to be done at all. */
  static ifRegistered(options: WorkerMetricsOptions): WorkerMetrics | undefined {
    const meter = metrics.getMeter("@tq/worker-sdk");
    return meter instanceof createNoopMeter().constructor ? undefined : new WorkerMetrics(meter, options);
  }

  /** A handler is about to run. */
  begun(kind: TaskKind, task: DispatchedTask): void {
    const { attempt, addedAt, startedAt, type } = task;
    // Later attempts waited for their back-off as well, which says nothing about the workers.
    if (attempt !== 1 || addedAt === undefined || startedAt === undefined) return;
    this.#of(kind).scheduleToStart.record(
      timestampMs(startedAt) - timestampMs(addedAt),
      this.#attributesOf(kind, type),
    );
  }

  /** A handler has ended. */
  ended(kind: TaskKind, type: string, outcome: HandlerOutcome, elapsedMs: number): void {
    const instruments = this.#of(kind);
    const attributes = this.#attributesOf(kind, type);
    instruments.execution.record(elapsedMs, attributes);
    if (outcome === "failed") instruments.failed.add(1, attributes);
    else if (outcome === "canceled") instruments.canceled.add(1, attributes);
  }

  /** A lease was lost, and what its handler answers is dropped. */
  leaseLost(kind: TaskKind, type: string): void {
    this.#leasesLost.add(1, this.#attributesOf(kind, type));
  }

  /** A poll was answered. */
  polled(kind: TaskKind, elapsedMs: number, tasks: number): void {
    const attributes = { ...this.#common, operation: "PollTasks", poller_type: `${kind}_task` };
    this.#pollLatency.record(elapsedMs, attributes);
    if (tasks === 0) this.#emptyPolls.add(1, attributes);
  }

  /** Lets go of what is observed. */
  stop(): void {
    this.#stopObserving();
  }

  #of(kind: TaskKind): KindInstruments {
    return kind === "activity" ? this.#activity : this.#workflow;
  }

  #attributesOf(kind: TaskKind, type: string): Attributes {
    const key = `${kind} ${type}`;
    let attributes = this.#attributes.get(key);
    if (attributes === undefined) {
      attributes = { ...this.#common, [kind === "activity" ? "activity_type" : "workflow_type"]: type };
      this.#attributes.set(key, attributes);
    }
    return attributes;
  }
}

function kindInstruments(meter: Meter, kind: "activity" | "workflow_task"): KindInstruments {
  return {
    scheduleToStart: meter.createHistogram(`tq_${kind}_schedule_to_start_latency`, {
      unit: "ms",
      description: "From the add of a task to its dispatch, of first attempts",
    }),
    execution: meter.createHistogram(`tq_${kind}_execution_latency`, {
      unit: "ms",
      description: "How long handlers took, however they ended",
    }),
    failed: meter.createCounter(`tq_${kind}_execution_failed`, { description: "Attempts that failed" }),
    canceled: meter.createCounter(`tq_${kind}_execution_cancelled`, {
      description: "Attempts that gave way to a cancel request",
    }),
  };
}

/** Registers what is read when metrics are collected. Answers how to take that back. */
function observe(meter: Meter, common: Attributes, observed: ObservedWorker): () => void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const counter = (name: string, description: string) => meter.createObservableCounter(name, { description });
  const available = gauge("tq_worker_task_slots_available", "Slots that are free, or offered by a poll");
  const used = gauge("tq_worker_task_slots_used", "Slots that tasks fill");
  const inFlight = gauge("tq_worker_tasks_in_flight", "Deliveries whose leases the worker keeps");
  const size = gauge("tq_sticky_cache_size", "Serial keys that handlers keep something for");
  const bytes = gauge("tq_sticky_cache_bytes", "What that weighs together");
  const hits = counter("tq_sticky_cache_hit", "Tasks whose handler found something in the cache");
  const misses = counter("tq_sticky_cache_miss", "Tasks whose handler looked into the cache and found nothing");
  const evictions = counter("tq_sticky_cache_total_forced_eviction", "Entries of the cache that had to make room");
  const blocks = counter("tq_worker_event_loop_blocked", "How often handlers blocked the event loop");
  const observables: Observable[] = [available, used, inFlight, size, bytes, hits, misses, evictions, blocks];
  const ofActivities = { ...common, worker_type: "ActivityWorker" };
  const ofWorkflows = { ...common, worker_type: "WorkflowWorker" };
  const read = (result: BatchObservableResult) => {
    const { activitySlots, activitySlotsUsed, workflowSlots, workflowSlotsUsed } = observed.slots();
    result.observe(available, activitySlots - activitySlotsUsed, ofActivities);
    result.observe(used, activitySlotsUsed, ofActivities);
    result.observe(available, workflowSlots - workflowSlotsUsed, ofWorkflows);
    result.observe(used, workflowSlotsUsed, ofWorkflows);
    result.observe(inFlight, observed.heldTasks(), common);
    result.observe(blocks, observed.eventLoop().blocks, common);
    const cache = observed.cache();
    result.observe(size, cache.entries, common);
    result.observe(bytes, cache.bytes, common);
    result.observe(hits, cache.hits, common);
    result.observe(misses, cache.misses, common);
    result.observe(evictions, cache.evictions, common);
  };
  meter.addBatchObservableCallback(read, observables);
  return () => meter.removeBatchObservableCallback(read, observables);
}
