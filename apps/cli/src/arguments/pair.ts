import { InvalidArgumentError } from "commander";

/** A workflow queue, and the type of the workflow task that goes there. */
export interface OnCloseTarget {
  readonly taskQueue: string;
  readonly type: string;
}

/** Reads `NAME=VALUE`, given several times, into one record. */
export function headerArgument(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write it as NAME=VALUE.");
  // A header may be named like a property of every object.
  return Object.fromEntries([...Object.entries(previous ?? {}), [text.slice(0, at), text.slice(at + 1)]]);
}

/** Reads `QUEUE:TYPE`; what is before the last colon is the queue's name. */
export function onCloseArgument(text: string): OnCloseTarget {
  const at = text.lastIndexOf(":");
  if (at < 1 || at === text.length - 1) {
    throw new InvalidArgumentError("Write it as QUEUE:TYPE, a workflow queue and the type of the workflow task.");
  }
  return { taskQueue: text.slice(0, at), type: text.slice(at + 1) };
}
