import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  ProxyTracer,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import { TaskClosedError } from "./closed-errors.ts";
import { TqError } from "./errors.ts";
import type { ClientInterceptor } from "./interceptors.ts";
import type { NewTask } from "./new-task.ts";
import { injectTraceHeaders } from "./trace-headers.ts";

/**
 * Spans of what a client does, by OpenTelemetry's conventions for messaging: `add <queue>` (a producer's) for each `add` and
 * `addMany`, whose trace goes with the tasks, and with the workflow tasks that are added when they close; `result` for each
 * wait for one; `execute <type>` around both. Without an SDK there are none, and the headers stay as they are.
 */
export class Tracing implements ClientInterceptor {
  readonly #tracer: Tracer;
  /** It is a tracer of an SDK, not one of the API that waits for one to be registered. */
  readonly #isGiven: boolean;
  readonly #namespace: string;

  constructor(tracer: Tracer, namespace: string) {
    this.#tracer = tracer;
    this.#isGiven = !(tracer instanceof ProxyTracer);
    this.#namespace = namespace;
  }

  /** False where spans and trace headers would come to nothing: no SDK is registered, and no trace is active here. */
  get isListening(): boolean {
    return this.#isGiven || context.active() !== ROOT_CONTEXT || hasSdk();
  }

  readonly add: NonNullable<ClientInterceptor["add"]> = (input, next) => {
    const queue = commonQueue(input.tasks);
    const span = this.#tracer.startSpan(queue === undefined ? "add" : `add ${queue}`, { kind: SpanKind.PRODUCER });
    const active = context.active();
    if (!isSpanContextValid(span.spanContext()) && active === ROOT_CONTEXT) return next(input);
    const within = trace.setSpan(active, span);
    if (span.isRecording()) span.setAttributes(this.#attributesOf(input.tasks, queue));
    const tasks = input.tasks.map((task) => traced(task, within));
    return inSpan(span, within, async () => {
      const handles = await next({ ...input, tasks });
      const [first] = handles;
      if (first !== undefined && handles.length === 1) span.setAttribute("messaging.message.id", first.id);
      return handles;
    });
  };

  readonly result: NonNullable<ClientInterceptor["result"]> = (input, next) => {
    const span = this.#tracer.startSpan("result", { kind: SpanKind.CLIENT });
    if (!span.isRecording()) return next(input);
    span.setAttributes(this.#operation("result", { "messaging.message.id": input.id }));
    return inSpan(span, trace.setSpan(context.active(), span), () => next(input));
  };

  /** Runs something as one span, such as `execute greet`. */
  within<T>(name: string, run: () => Promise<T>): Promise<T> {
    const span = this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL });
    if (!span.isRecording()) return run();
    span.setAttributes(this.#operation("execute", {}));
    return inSpan(span, trace.setSpan(context.active(), span), run);
  }

  #attributesOf(tasks: readonly NewTask[], queue: string | undefined): Attributes {
    const [first] = tasks;
    return this.#operation("add", {
      "messaging.operation.type": "send",
      ...(queue !== undefined && { "messaging.destination.name": queue }),
      ...(tasks.length === 1
        ? { "tq.task.type": first?.type ?? "" }
        : { "messaging.batch.message_count": tasks.length }),
    });
  }

  #operation(name: string, attributes: Attributes): Attributes {
    return {
      "messaging.system": "tq",
      "messaging.operation.name": name,
      "tq.namespace": this.#namespace,
      ...attributes,
    };
  }
}

/** Whether a program has registered an SDK for traces. If that cannot be told, it may have. */
export function hasSdk(): boolean {
  // What the API has until then is not part of its types any more, so it may be anything one day.
  const provider: TracerProvider & { getDelegateTracer?(name: string): unknown } = trace.getTracerProvider();
  return provider.getDelegateTracer === undefined || provider.getDelegateTracer("@tq/client") !== undefined;
}

/** The queue of all tasks; undefined where they have several. */
function commonQueue(tasks: readonly NewTask[]): string | undefined {
  const queue = tasks[0]?.taskQueue;
  return tasks.every(({ taskQueue }) => taskQueue === queue) ? queue : undefined;
}

/** The task, its headers and those of its on-close with the trace. */
function traced(task: NewTask, within: Context): NewTask {
  const headers = injectTraceHeaders(task.headers, within);
  if (headers === undefined || headers === task.headers) return task;
  const { onClose } = task;
  if (onClose === undefined) return { ...task, headers };
  return { ...task, headers, onClose: { ...onClose, headers: { ...injectTraceHeaders(onClose.headers, within) } } };
}

/** Runs something in a span, and ends the span with what came of it. */
async function inSpan<T>(span: Span, within: Context, run: () => Promise<T>): Promise<T> {
  try {
    return await context.with(within, run);
  } catch (error) {
    const isTold = error instanceof TqError || error instanceof TaskClosedError;
    const message = error instanceof Error ? error.message : String(error);
    span.setAttribute("error.type", error instanceof TqError ? error.code : isTold ? error.name : "_OTHER");
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}
