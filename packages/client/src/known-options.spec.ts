import { expect, test } from "vitest";
import { compileClientConfig } from "./client-config.ts";
import { refuseUnknownOptions } from "./known-options.ts";

test("an option that there is not is refused, with those that there are", () => {
  const known = { retry: true, taskQueue: true } as const;
  const misnamed = { taskQueue: "q", retryPolicy: {} };
  expect(() => refuseUnknownOptions(misnamed as never, known as never)).toThrow(
    "retryPolicy: there is no such option; there are retry, taskQueue",
  );
  expect(() => compileClientConfig({ adress: "x" } as never)).toThrow(/adress: there is no such option; .*address/);
  expect(() => refuseUnknownOptions({ retry: {} }, { retry: true })).not.toThrow();
});

test("null is no value of an option, not even its default, unless the option takes any value", () => {
  const known = { retry: true, context: "nullable" } as const;
  const check = (given: unknown) => refuseUnknownOptions<{ retry?: object; context?: unknown }>(given as never, known);
  expect(() => check({ retry: null })).toThrow("retry: is null: give a value, or leave it out where it has a default");
  expect(() => check({ retry: undefined, context: null })).not.toThrow();
});

test.each<[field: string, options: object]>([
  ["retry.giveUp", { retry: { giveUp: "1s" } }],
  ["address", { address: null }],
  ["random", { random: null }],
  ["interceptors", { interceptors: null }],
  ["payloadConverter", { payloadConverter: null }],
  ["callTimeout", { callTimeout: null }],
  ["retry.giveUpAfter", { retry: { giveUpAfter: null } }],
  ["coalescing.maxCallsInFlight", { coalescing: { maxCallsInFlight: null } }],
  ["coalescing.maxTasks", { coalescing: { maxTasks: 3 } }],
  ["backPressure.maxTasks", { backPressure: { maxTasks: 3 } }],
  ["httpVersion", { httpVersion: "3" }],
  ["logger", { logger: { info() {} } }],
  ["interceptors", { interceptors: {} }],
  ["payloadCodecs", { payloadCodecs: {} }],
  ["payloadCodecs[0]", { payloadCodecs: [{ encode() {} }] }],
  ["payloadConverter", { payloadConverter: { toPayload() {} } }],
])("a client's %s is checked as it is made", (field, options) => {
  expect(() => compileClientConfig(options)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field })] }),
  );
});
