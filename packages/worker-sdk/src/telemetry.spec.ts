import { type Attributes, context, metrics, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { TaskQueueKind } from "@tq/proto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { commands } from "./commands.ts";
import { Context } from "./context.ts";

afterEach(() => {
  for (const api of [trace, context, propagation, metrics]) api.disable();
});

/** An SDK that keeps spans in memory. */
function tracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return exporter;
}

const traceId = "0af7651916cd43dd8448eb211c80319c";
const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
const workflowQueue = { name: "q", kind: TaskQueueKind.WORKFLOW };

test("a handler runs in a consumer's span of the trace that its task carries", async () => {
  const exporter = tracing();
  const inside: unknown[] = [];
  const { server } = await rig({
    activities: {
      async work() {
        await settle();
        inside.push(trace.getActiveSpan()?.spanContext().traceId);
        trace.getTracer("mine").startSpan("inner").end();
      },
      fails: () => Promise.reject(new RangeError("too far")),
    },
  });
  server.add("a", "work", { headers, attempt: 2 });
  server.add("b", "fails");
  await settle();
  await settle();
  const spans = exporter.getFinishedSpans();
  const of = (name: string) => spans.find((span) => span.name === name)!;
  expect(of("process work")).toMatchObject({
    kind: SpanKind.CONSUMER,
    parentSpanContext: { spanId: "b7ad6b7169203331", traceId },
    status: { code: SpanStatusCode.UNSET },
    attributes: { "messaging.message.id": "a", "messaging.destination.name": "q", "tq.task.attempt": 2 },
  });
  expect(inside).toEqual([traceId]);
  expect(of("inner").parentSpanContext?.spanId).toBe(of("process work").spanContext().spanId);
  expect(of("process fails")).toMatchObject({
    status: { code: SpanStatusCode.ERROR, message: "too far" },
    events: [{ name: "exception" }],
  });
  expect(of("process fails").parentSpanContext).toBeUndefined();
});

test("what a workflow handler asks for carries its trace on, and so do the outcomes; what it says itself stays", async () => {
  const exporter = tracing();
  const { server } = await rig({
    workflows: {
      advance: () => ({
        commands: [
          commands.scheduleActivity({
            taskQueue: "files",
            type: "hash",
            headers: { tenant: "t1" },
            onClose: { taskQueue: "q", type: "advance" },
          }),
          commands.startTimer({ taskQueue: "q", type: "advance", delay: "1s" }),
          commands.addTask({ taskQueue: "files", type: "hash", headers: { traceparent: "mine" } }),
          commands.cancelTask("old"),
        ],
      }),
    },
  });
  server.add("w", "advance", { taskQueue: workflowQueue, headers });
  await settle();
  const spanId = exporter.getFinishedSpans()[0]!.spanContext().spanId;
  const traceparent = `00-${traceId}-${spanId}-01`;
  const answer = server.answers.get("w")!.answer;
  if (answer.case !== "completed") throw new Error(`w is ${answer.case}`);
  expect(answer.value.commands.map(({ command }) => command.value)).toMatchObject([
    { task: { headers: { tenant: "t1", traceparent }, onClose: { headers: { traceparent } } } },
    { headers: { traceparent } },
    { task: { headers: { traceparent: "mine" } } },
    { id: "old" },
  ]);
});

test("without an SDK headers stay as they are, and nothing is measured", async () => {
  const { server } = await rig({
    workflows: { advance: () => ({ commands: [commands.addTask({ taskQueue: "files", type: "hash" })] }) },
  });
  server.add("w", "advance", { taskQueue: workflowQueue, headers });
  await settle();
  const answer = server.answers.get("w")!.answer;
  expect(answer.case === "completed" && answer.value.commands[0]?.command.value).toMatchObject({
    task: { headers: {} },
  });
});

test("the usual measurements of a worker go to the meter that is registered", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const end = gate();
  const { clock, server } = await rig({
    activities: {
      slow: () => Context.current().sleep("200ms"),
      fails: () => Promise.reject(new Error("no")),
      hangs: () => end.promise,
    },
    workflows: {
      advance(_task, { cache }) {
        cache.get();
        cache.set(1);
      },
    },
    maxConcurrentActivityTaskExecutions: 5,
  });
  const addedAt = timestampFromMs(clock.now());
  const startedAt = timestampFromMs(clock.now() + 40);
  server.add("a", "slow", { addedAt, startedAt });
  server.add("b", "fails", { attempt: 2, addedAt, startedAt });
  server.add("c", "hangs");
  server.add("d", "hangs");
  for (const id of ["w", "x"]) server.add(id, "advance", { taskQueue: workflowQueue, serialKey: "k" });
  await clock.advance(1_000);
  server.lose("d");
  await clock.advance(1_000);
  await reader.forceFlush();
  const measured = exporter
    .getMetrics()
    .at(-1)!
    .scopeMetrics.flatMap((scope) => scope.metrics);
  const points = (name: string) =>
    Object.fromEntries(
      measured
        .find(({ descriptor }) => descriptor.name === name)!
        .dataPoints.map(({ attributes, value }): [string, unknown] => [label(attributes), sum(value)]),
    );
  expect(points("tq_activity_schedule_to_start_latency")).toEqual({ slow: 40 });
  expect(points("tq_activity_execution_latency")).toMatchObject({ slow: 200, fails: 0 });
  expect(points("tq_activity_execution_failed")).toEqual({ fails: 1 });
  expect(points("tq_workflow_task_execution_latency")).toEqual({ advance: 0 });
  expect(points("tq_worker_task_slots_used")).toEqual({ ActivityWorker: 2, WorkflowWorker: 0 });
  expect(points("tq_worker_task_slots_available")).toEqual({ ActivityWorker: 3, WorkflowWorker: 40 });
  expect(points("tq_worker_tasks_in_flight")).toEqual({ q: 1 });
  expect(points("tq_worker_event_loop_blocked")).toEqual({ q: 0 });
  expect(points("tq_sticky_cache_hit")).toEqual({ q: 1 });
  expect(points("tq_sticky_cache_miss")).toEqual({ q: 1 });
  expect(Object.keys(points("tq_long_request_latency")).toSorted()).toEqual(["activity_task", "workflow_task"]);
  end.resolve();
  await clock.advance(1_000);
  await reader.forceFlush();
  const later = exporter
    .getMetrics()
    .at(-1)!
    .scopeMetrics.flatMap((scope) => scope.metrics);
  expect(later.find(({ descriptor }) => descriptor.name === "tq_lease_lost")?.dataPoints).toMatchObject([
    { value: 1, attributes: { activity_type: "hangs", task_queue: "q", namespace: "default" } },
  ]);
  await reader.shutdown();
});

function label(attributes: Attributes): string {
  const { activity_type, workflow_type, worker_type, poller_type, task_queue } = attributes;
  return String(activity_type ?? workflow_type ?? worker_type ?? poller_type ?? task_queue);
}

function sum(value: unknown): unknown {
  return typeof value === "object" && value !== null && "sum" in value ? value.sum : value;
}
