import type { Counter, Histogram, Meter } from "@opentelemetry/api";
import type { TqError } from "./errors.ts";

/** Bounds of the buckets of a call's duration, in seconds. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * What a client counts, with OpenTelemetry's meter:
 *
 * | metric | kind | attributes |
 * |---|---|---|
 * | `tq.client.tasks.added` | counter of tasks | `tq.existed`: the id was open already |
 * | `tq.client.tasks.add_failures` | counter of tasks whose add failed in the end | `error.type`: the code |
 * | `tq.client.adds.waiting` | tasks that wait to be added, or are on their way | |
 * | `tq.client.call.duration` | histogram of seconds, one for each try | `rpc.method`; `error.type` where it failed |
 * | `tq.client.call.retries` | counter of tries that failed and were made again | `error.type` |
 *
 * Each has the attribute `tq.namespace`.
 */
export class ClientMetrics {
  readonly #common: { readonly "tq.namespace": string };
  readonly #added: Counter;
  readonly #addFailures: Counter;
  readonly #durations: Histogram;
  readonly #retries: Counter;
  readonly #stop: () => void;

  /** @param waitingAdds asked whenever metrics are collected */
  constructor(meter: Meter, namespace: string, waitingAdds: () => number) {
    this.#common = { "tq.namespace": namespace };
    this.#added = meter.createCounter("tq.client.tasks.added", { unit: "{task}" });
    this.#addFailures = meter.createCounter("tq.client.tasks.add_failures", { unit: "{task}" });
    this.#durations = meter.createHistogram("tq.client.call.duration", {
      unit: "s",
      advice: { explicitBucketBoundaries: durationBuckets },
    });
    this.#retries = meter.createCounter("tq.client.call.retries", { unit: "{call}" });
    const waiting = meter.createObservableUpDownCounter("tq.client.adds.waiting", { unit: "{task}" });
    const observe: Parameters<typeof waiting.addCallback>[0] = (result) => result.observe(waitingAdds(), this.#common);
    waiting.addCallback(observe);
    this.#stop = () => waiting.removeCallback(observe);
  }

  /** A call brought tasks to the server, some of which were open already. */
  added(tasks: number, existed: number): void {
    if (tasks > existed) this.#added.add(tasks - existed, { ...this.#common, "tq.existed": false });
    if (existed > 0) this.#added.add(existed, { ...this.#common, "tq.existed": true });
  }

  /** Tasks were not added, for all that was tried. */
  addFailed(tasks: number, error: TqError): void {
    this.#addFailures.add(tasks, { ...this.#common, "error.type": error.code });
  }

  /** One try of a call was answered, or failed with `error`. */
  called(method: string, durationMs: number, error: TqError | undefined): void {
    const attributes = { ...this.#common, "rpc.method": method };
    this.#durations.record(
      durationMs / 1000,
      error === undefined ? attributes : { ...attributes, "error.type": error.code },
    );
  }

  /** A try failed and is made again. */
  retried(error: TqError): void {
    this.#retries.add(1, { ...this.#common, "error.type": error.code });
  }

  /** Is asked for nothing any more. */
  stop(): void {
    this.#stop();
  }
}
