import { type Context, context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";

/** Headers of a task. */
type Headers = Readonly<Record<string, string>>;

/**
 * The headers with those of a trace added (`traceparent`, `tracestate`, `baggage`), as the propagator has them that the
 * program has registered with OpenTelemetry; the same object if it has none, or there is no trace.
 *
 * @param headers those of a task; a trace that they name already is replaced
 * @param of where the trace stands; default the context that is active here
 */
export function injectTraceHeaders(headers: Headers | undefined, of: Context = context.active()): Headers | undefined {
  const traced: Record<string, string> = {};
  propagation.inject(of, traced);
  for (const _ in traced) return { ...headers, ...traced };
  return headers;
}

/**
 * The trace that a task's headers name, to run its handler in. Without one, or without a propagator, it is `from`.
 *
 * @param from what the trace is added to; default the root context, since a task runs on nobody's behalf but its own
 */
export function extractTraceContext(headers: Headers, from: Context = ROOT_CONTEXT): Context {
  return propagation.extract(from, headers);
}
