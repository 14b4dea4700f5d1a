import { Code, ConnectError, createRouterTransport, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { OperatorService, TaskService } from "@tq/proto";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@tq/proto/google/rpc";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../src/errors.ts";

/** A server in memory that answers the calls it is given, and `unimplemented` to others. */
export function fakeServer(
  tasks: Partial<ServiceImpl<typeof TaskService>>,
  operator: Partial<ServiceImpl<typeof OperatorService>> = {},
): Transport {
  return createRouterTransport(({ service }) => {
    service(TaskService, tasks);
    service(OperatorService, operator);
  });
}

/** An error as tq's server sends it. */
export function refusal(
  code: Code,
  reason: string,
  message: string,
  more: { fields?: FieldViolation[]; retryAfterMs?: number } = {},
): ConnectError {
  return new ConnectError(message, code, undefined, [
    { desc: ErrorInfoSchema, value: { domain: "tq", reason } },
    ...(more.fields === undefined ? [] : [{ desc: BadRequestSchema, value: { fieldViolations: more.fields } }]),
    ...(more.retryAfterMs === undefined
      ? []
      : [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(more.retryAfterMs) } }]),
  ]);
}

export { Code };

/** A logger that says nothing. */
export const silent = { debug() {}, info() {}, warn() {}, error() {} };
