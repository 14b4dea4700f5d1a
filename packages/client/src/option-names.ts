/*
 * The server names what it refuses as the contract has it, `tasks[0].retry_policy.maximum_attempts`, where the caller has
 * written an option, `retry.maximumAttempts`. Errors that a caller of this package gets name the option.
 */
import type { TqError } from "./errors.ts";

/** Where an option is called otherwise than its field in the contract. In order: each is applied to what the last has made. */
const renamed: readonly (readonly [field: RegExp, option: string])[] = [
  [/^filter\./, ""],
  [/^retry_policy\b/, "retry"],
  [/^timeouts\.(\w+)/, "$1_timeout"],
  [/task_queue\.name$/, "task_queue"],
  [/^task_queue\.kind$/, "kind"],
  [/\binput\b/, "args"],
];

/**
 * The option that a field of the contract comes from, which may be one of a task (`tasks[3].timeouts.heartbeat`), with its
 * index, or of a filter.
 */
export function optionName(field: string): string {
  const [, index = "", path = ""] = /^(tasks\[\d+\]\.?)?(.*)$/s.exec(field) ?? [];
  const named = renamed.reduce((name, [from, to]) => name.replace(from, to), path);
  // What stands in brackets is the caller's own.
  return index + named.replace(/\[[^\]]*\]|_([a-z])/g, (text, letter?: string) => letter?.toUpperCase() ?? text);
}

/** The error as it names options. Of a task that was added alone it is told without an index. */
export function inOptionNames(error: TqError, isAlone = false): TqError {
  if (error.fields.length === 0) return error;
  let { message } = error;
  const fields = error.fields.map(({ field, description }) => {
    const name = optionName(field);
    const option = isAlone ? name.replace(/^tasks\[0\]\.?/, "") || "task" : name;
    message = message.replaceAll(field, option);
    return { field: option, description };
  });
  return error.with({ message, fields });
}
