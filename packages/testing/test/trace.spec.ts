import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { commands, Context, type WorkflowTask } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { TestEnvironment } from "../src/index.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

test("one trace goes from an add over the queue to the handler, to what it adds, and to the workflow that hears of it", async () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  cleanUps.push(() => (trace.disable(), context.disable(), propagation.disable()));

  const environment = await TestEnvironment.createTimeSkipping();
  cleanUps.push(() => environment.teardown());
  const worker = await environment.createWorker({
    taskQueue: "q",
    activities: {
      async outer() {
        await Context.current().client.tasks.add({ taskQueue: "q", type: "inner" });
      },
      inner: () => {},
      last: () => {},
    },
    workflows: {
      hear: (_task: WorkflowTask) => ({ commands: [commands.scheduleActivity({ taskQueue: "q", type: "last" })] }),
    },
  });
  const running = worker.run();
  const request = trace.getTracer("test").startSpan("request");
  await context.with(trace.setSpan(context.active(), request), () =>
    environment.client.tasks.add({ taskQueue: "q", type: "outer", onClose: { taskQueue: "q", type: "hear" } }),
  );
  request.end();
  await environment.clock.advance("1s");
  worker.shutdown();
  await environment.skipUntil(running);

  const spans = exporter.getFinishedSpans();
  const { traceId, spanId } = request.spanContext();
  const handlers = spans.filter(({ kind }) => kind === SpanKind.CONSUMER);
  expect(handlers.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b))).toEqual(
    ["hear", "inner", "last", "outer"].map((type) => `process ${type}`),
  );
  expect(new Set(handlers.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
  /** Names from a span up to the request. */
  const pathOf = (name: string): string[] => {
    const names: string[] = [];
    for (let span = spans.find((each) => each.name === name); span !== undefined;) {
      names.push(span.name);
      span = byId.get(span.parentSpanContext?.spanId ?? "");
    }
    return names;
  };
  expect(byId.get(spanId)?.name).toBe("request");
  expect(pathOf("process outer")).toEqual(["process outer", "add q", "request"]);
  expect(pathOf("process inner")).toEqual(["process inner", "add q", "process outer", "add q", "request"]);
  expect(pathOf("process hear")).toEqual(["process hear", "add q", "request"]);
  expect(pathOf("process last").slice(-3)).toEqual(["process hear", "add q", "request"]);
});
