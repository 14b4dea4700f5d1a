import { expect, test } from "vitest";
import { TqError } from "./errors.ts";
import { inOptionNames, optionName } from "./option-names.ts";

test.each([
  ["tasks[3].retry_policy.maximum_attempts", "tasks[3].retry.maximumAttempts"],
  ["tasks[0].timeouts.schedule_to_start", "tasks[0].scheduleToStartTimeout"],
  ["tasks[0].timeouts.heartbeat", "tasks[0].heartbeatTimeout"],
  ["tasks[0].task_queue.name", "tasks[0].taskQueue"],
  ["tasks[0].task_queue.kind", "tasks[0].kind"],
  ["tasks[0].input[2]", "tasks[0].args[2]"],
  ["tasks[0].fallback.input[2].metadata", "tasks[0].fallback.args[2].metadata"],
  ["tasks[0].fallback.task_queue.name", "tasks[0].fallback.taskQueue"],
  ["tasks[0].on_close.fallback_task_queue.name", "tasks[0].onClose.fallbackTaskQueue"],
  ['tasks[0].headers["as_it_is"]', 'tasks[0].headers["as_it_is"]'],
  ["tasks[0].id_policy", "tasks[0].idPolicy"],
  ["tasks[0]", "tasks[0]"],
  ["filter.task_queue.name", "taskQueue"],
  ["filter.closed_before", "closedBefore"],
  ["page_size", "pageSize"],
  ["namespace", "namespace"],
])("%s is %s where it was written", (field, option) => {
  expect(optionName(field)).toBe(option);
});

test("an error names options, in its text as well, and without an index where there is one task", () => {
  const field = "tasks[0].retry_policy.jitter";
  const error = new TqError({
    code: "invalid_argument",
    message: `${field}: must be 0 to 1`,
    fields: [{ field, description: "must be 0 to 1" }],
  });
  expect(inOptionNames(error).message).toBe("tasks[0].retry.jitter: must be 0 to 1");
  expect(inOptionNames(error, true)).toMatchObject({
    message: "retry.jitter: must be 0 to 1",
    fields: [{ field: "retry.jitter", description: "must be 0 to 1" }],
  });
  const other = new TqError({ code: "unavailable", message: "tasks[0] is no field here" });
  expect(inOptionNames(other, true)).toBe(other);
});
