import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { type AddTasksRequest, TaskState } from "@tq/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Code, fakeServer, refusal } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import { encodePayload } from "./payload.ts";
import { extractTraceContext, injectTraceHeaders } from "./trace-headers.ts";

const spans = new InMemorySpanExporter();
let isRefusing = false;
const added: AddTasksRequest[] = [];

function client() {
  const transport = fakeServer({
    addTasks: (request) => {
      if (isRefusing) throw refusal(Code.FailedPrecondition, "TASK_QUEUE_DRAINING", "draining");
      added.push(request);
      return { tasks: request.tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: ({ ids }) => ({
      tasks: ids.map((id) => ({ id, outcome: { state: TaskState.COMPLETED, result: encodePayload("r") } })),
    }),
  });
  return Client.create({ transport });
}

const register = () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
};

beforeEach(() => {
  isRefusing = false;
  added.length = 0;
});

afterEach(() => {
  spans.reset();
  trace.disable();
  context.disable();
  propagation.disable();
});

const of = (name: string) => spans.getFinishedSpans().find((span) => span.name === name)!;
const idOf = (traceparent: string | undefined) => traceparent?.split("-")[2];

test("an add is a producer's span, and its trace goes with the task and with what is added when that closes", async () => {
  register();
  const onClose = { taskQueue: "e", type: "closed" };
  await client().tasks.add({ taskQueue: "q", type: "t", id: "a", headers: { own: "1" }, onClose });
  const span = of("add q");
  expect(span).toMatchObject({
    kind: SpanKind.PRODUCER,
    attributes: {
      "messaging.system": "tq",
      "messaging.operation.name": "add",
      "messaging.operation.type": "send",
      "messaging.destination.name": "q",
      "messaging.message.id": "a",
      "tq.task.type": "t",
      "tq.namespace": "default",
    },
  });
  const [task] = added[0]!.tasks;
  const { traceId, spanId } = span.spanContext();
  expect(task?.headers).toEqual({ own: "1", traceparent: `00-${traceId}-${spanId}-01` });
  expect(task?.onClose?.headers).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
});

test("a batch is one span, and all its tasks go with it; tracestate and baggage come along", async () => {
  register();
  const baggage = propagation.setBaggage(context.active(), propagation.createBaggage({ tenant: { value: "t1" } }));
  const parent = trace.setSpanContext(baggage, {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  });
  await context.with(parent, () =>
    client().tasks.addMany([
      { taskQueue: "q", type: "t" },
      { taskQueue: "p", type: "t" },
    ]),
  );
  expect(of("add").attributes).toMatchObject({ "messaging.batch.message_count": 2 });
  expect(of("add").parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  const headers = added[0]!.tasks.map((task) => task.headers);
  expect(headers[0]).toEqual(headers[1]);
  expect(headers[0]?.["baggage"]).toBe("tenant=t1");
  expect(idOf(headers[0]?.["traceparent"])).toBe(of("add").spanContext().spanId);
});

test("execute is a span around the add and the wait for the result", async () => {
  register();
  await client().activity<{ greet(): string }>({ taskQueue: "q" }).execute("greet");
  const whole = of("execute greet").spanContext();
  expect(["add q", "result"].map((name) => of(name).parentSpanContext?.spanId)).toEqual([whole.spanId, whole.spanId]);
});

test("what was refused is said by the span", async () => {
  register();
  isRefusing = true;
  await expect(client().tasks.add({ taskQueue: "q", type: "t" })).rejects.toThrow("draining");
  expect(of("add q")).toMatchObject({
    status: { code: SpanStatusCode.ERROR, message: "draining" },
    attributes: { "error.type": "failed_precondition" },
  });
});

test("what a task's headers name is the trace that its handler runs in", async () => {
  register();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const handlerContext = extractTraceContext({ traceparent });
  expect(trace.getSpanContext(handlerContext)).toMatchObject({ spanId: "b7ad6b7169203331", isRemote: true });
  expect(injectTraceHeaders({ a: "1" }, handlerContext)).toEqual({ a: "1", traceparent });
});

test("without an SDK headers stay as they are, also those of a trace that somebody else began", async () => {
  const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  await client().tasks.add({ taskQueue: "q", type: "t", headers });
  expect(added[0]?.tasks[0]?.headers).toEqual(headers);
  expect(injectTraceHeaders(headers)).toBe(headers);
  expect(injectTraceHeaders(undefined)).toBeUndefined();
});
