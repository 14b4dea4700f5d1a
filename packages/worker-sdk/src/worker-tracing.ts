import {
  type Attributes,
  context as contexts,
  type Context,
  isSpanContextValid,
  ProxyTracer,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { TaskKind } from "@tq/client";
import { extractTraceContext, hasSdk, injectTraceHeaders } from "@tq/client/internal";
import type { DispatchedTask } from "@tq/proto";
import type { WorkflowCommand } from "./commands.ts";
import { CompleteAsyncError } from "./complete-async-error.ts";
import { ReleaseToFallback } from "./release-to-fallback.ts";

/**
 * Runs handlers in spans of kind CONSUMER, as children of the trace that the task's headers carry, so that what a handler
 * does and adds belongs to it as well. Without an SDK there are none.
 */
export class WorkerTracing {
  readonly #tracer: Tracer;
  /** It is a tracer of an SDK, not one of the API that waits for one to be registered. */
  readonly #isGiven: boolean;
  readonly #namespace: string;

  constructor(namespace: string) {
    // Stands for whatever SDK is registered by the time that a span begins.
    this.#tracer = trace.getTracer("@tq/worker-sdk");
    this.#isGiven = !(this.#tracer instanceof ProxyTracer);
    this.#namespace = namespace;
  }

  /**
   * Runs the handler of a task in its span. `run` gets the context that the span is in; none where nobody traces.
   */
  run(task: DispatchedTask, kind: TaskKind, run: (within?: Context) => unknown): unknown {
    if (!this.#isGiven && !mayTrace(task)) return run();
    const from = extractTraceContext(task.headers);
    const span = this.#tracer.startSpan(`process ${task.type}`, { kind: SpanKind.CONSUMER }, from);
    if (from === ROOT_CONTEXT && !isSpanContextValid(span.spanContext())) return run();
    if (span.isRecording()) span.setAttributes(this.#attributesOf(task, kind));
    return this.#within(span, trace.setSpan(from, span), run);
  }

  async #within(span: Span, within: Context, run: (within: Context) => unknown): Promise<unknown> {
    try {
      return await contexts.with(within, () => run(within));
    } catch (thrown) {
      fail(span, thrown);
      throw thrown;
    } finally {
      span.end();
    }
  }

  #attributesOf({ id, type, run, attempt, taskQueue }: DispatchedTask, kind: TaskKind): Attributes {
    return {
      "messaging.system": "tq",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": taskQueue?.name ?? "",
      "messaging.message.id": id,
      "tq.namespace": this.#namespace,
      "tq.task.type": type,
      "tq.task.kind": kind,
      "tq.task.run": run,
      "tq.task.attempt": attempt,
    };
  }
}

/** A command whose task carries a trace on, and whose outcome does. What the handler gave it itself stays. */
export function tracedCommand(command: WorkflowCommand, within: Context): WorkflowCommand {
  switch (command.command) {
    case "addTask":
    case "scheduleActivity": {
      const { task } = command;
      const headers = withTrace(task.headers, within);
      const onCloseHeaders = task.onClose && withTrace(task.onClose.headers, within);
      const onClose = task.onClose &&
        onCloseHeaders !== undefined && { onClose: { ...task.onClose, headers: onCloseHeaders } };
      return { ...command, task: { ...task, ...(headers !== undefined && { headers }), ...onClose } };
    }
    case "startTimer": {
      const headers = withTrace(command.timer.headers, within);
      return { ...command, timer: { ...command.timer, ...(headers !== undefined && { headers }) } };
    }
    case "cancelTask":
      return command;
  }
}

function withTrace(headers: Readonly<Record<string, string>> | undefined, within: Context) {
  return headers?.["traceparent"] === undefined ? injectTraceHeaders(headers, within) : headers;
}

function fail(span: Span, thrown: unknown): void {
  try {
    // Neither is a failure: the outcome comes later, or from another worker.
    if (thrown instanceof CompleteAsyncError || thrown instanceof ReleaseToFallback) return;
    if (thrown instanceof Error) {
      span.recordException(thrown);
      span.setStatus({ code: SpanStatusCode.ERROR, message: thrown.message });
    } else {
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
  } catch {
    // What was thrown is a proxy, or throws when it is read. That it failed is all there is to say.
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
}

/** False where spans come to nothing, and the task can have brought no trace. */
function mayTrace({ headers }: DispatchedTask): boolean {
  for (const _ in headers) return true;
  return hasSdk();
}
