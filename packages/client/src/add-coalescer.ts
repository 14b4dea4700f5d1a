// Makes large calls out of small ones.
//
// What is handed in at once is a group: one task of `add`, or the tasks of one `addMany`, which are added all or none.
// Groups wait in order; a call takes from the front what fits. While a call is under way others gather behind it, so the
// busier the client, the larger the calls, and nobody ever waits for a timer.
//
// The server takes a call all or none too, so a group must not be refused for the sake of a neighbour that it never chose.
// If a call of several groups is refused, the groups that the error names get it, and the others are sent again. If it
// names none, the call is halved until the guilty ones are alone. A group that is refused because there is too much of
// something right now steps aside until the server says to come back, and holds nobody up meanwhile.
//
// Ids that callers chose stand in a call once: a second task with the same id waits for the next call, where the server
// answers it with the first one, as if it had come alone.

import type { AddedTask, NewTask } from "@tq/proto";
import type { Clock, Timer } from "./clock.ts";
import { type FieldViolation, type TqError, toTqError } from "./errors.ts";
import { newTaskBytes } from "./new-task.ts";
import { isRetryable } from "./retry.ts";

/** What the coalescer needs. */
export interface AddCoalescerOptions {
  readonly clock: Clock;
  readonly maxTasksPerCall: number;
  readonly maxBytesPerCall: number;
  readonly maxCallsInFlight: number;
  /** How long a group may be tried for, in milliseconds. */
  readonly giveUpAfterMs: number;
  /** Makes one call, tried again as need be until `giveUpAtMs`, but only after errors that `retryable` says. */
  readonly send: (
    tasks: NewTask[],
    giveUpAtMs: number,
    retryable: (error: TqError) => boolean,
  ) => Promise<readonly AddedTask[]>;
}

interface Group {
  readonly tasks: readonly NewTask[];
  readonly bytes: number;
  /** Ids that the caller chose; those that the client made cannot collide. */
  readonly chosenIds: readonly string[];
  readonly giveUpAtMs: number;
  readonly resolve: (added: readonly AddedTask[]) => void;
  readonly reject: (error: TqError) => void;
}

/** See the top of the file. */
export class AddCoalescer {
  readonly #options: AddCoalescerOptions;
  #waiting: Group[] = [];
  readonly #asideTimers = new Map<Group, Timer>();
  #callsInFlight = 0;
  #isScheduled = false;
  #closed: TqError | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: AddCoalescerOptions) {
    this.#options = options;
  }

  /** Adds `tasks`, all or none; answers in their order. */
  add(tasks: readonly NewTask[], chosenIds: readonly string[]): Promise<readonly AddedTask[]> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const task of tasks) bytes += newTaskBytes(task);
      const giveUpAtMs = this.#options.clock.now() + this.#options.giveUpAfterMs;
      this.#waiting.push({ tasks, bytes, chosenIds, giveUpAtMs, resolve, reject });
      this.#schedule();
    });
  }

  /** Takes no more, and resolves once everything that was handed in has been answered. */
  async close(error: TqError): Promise<void> {
    this.#closed = error;
    // Those that stand aside for a full queue would hold up the end.
    for (const [group, timer] of this.#asideTimers) {
      this.#options.clock.clearTimeout(timer);
      group.reject(error);
    }
    this.#asideTimers.clear();
    if (this.#callsInFlight === 0 && this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Lets what arrives in this turn of the event loop gather, then sends. */
  #schedule(): void {
    if (this.#isScheduled || this.#callsInFlight >= this.#options.maxCallsInFlight) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#sendWaiting();
    });
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#callsInFlight < this.#options.maxCallsInFlight) {
      const groups = this.#takeWaiting();
      this.#callsInFlight++;
      void this.#deliver(groups).then(() => {
        this.#callsInFlight--;
        if (this.#waiting.length > 0) this.#schedule();
        else if (this.#callsInFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
      });
    }
  }

  /** The groups of the next call: from the front, as many as fit, at least one. */
  #takeWaiting(): Group[] {
    const { maxTasksPerCall, maxBytesPerCall } = this.#options;
    const ids = new Set<string>();
    let tasks = 0;
    let bytes = 0;
    let count = 0;
    for (const group of this.#waiting) {
      tasks += group.tasks.length;
      bytes += group.bytes;
      if (count > 0 && (tasks > maxTasksPerCall || bytes > maxBytesPerCall)) break;
      if (count > 0 && group.chosenIds.some((id) => ids.has(id))) break;
      for (const id of group.chosenIds) ids.add(id);
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Sends groups in one call, and again in smaller ones as need be, until each is answered or stands aside. Never rejects. */
  async #deliver(groups: readonly Group[]): Promise<void> {
    const giveUpAtMs = groups.reduce((latest, group) => Math.max(latest, group.giveUpAtMs), 0);
    let added: readonly AddedTask[];
    try {
      const tasks = groups.flatMap((group) => group.tasks);
      added = await this.#options.send(tasks, giveUpAtMs, (error) => isRetryable(error) && !isRefusal(error));
    } catch (unknown) {
      await this.#refused(groups, toTqError(unknown));
      return;
    }
    let offset = 0;
    for (const group of groups) {
      group.resolve(added.slice(offset, offset + group.tasks.length));
      offset += group.tasks.length;
    }
  }

  async #refused(groups: readonly Group[], error: TqError): Promise<void> {
    const [first] = groups;
    if (first === undefined) return;
    if (!isRefusal(error)) {
      for (const group of groups) group.reject(error);
      return;
    }
    if (groups.length === 1) {
      this.#refuse(first, error);
      return;
    }
    const innocent: Group[] = [];
    let offset = 0;
    for (const group of groups) {
      const named = ownFields(error.fields, offset, group.tasks.length);
      if (named.length > 0) this.#refuse(group, rebased(error, named, offset, group.tasks.length));
      else innocent.push(group);
      offset += group.tasks.length;
    }
    if (innocent.length < groups.length) {
      if (innocent.length > 0) await this.#deliver(innocent);
      return;
    }
    const middle = groups.length >> 1;
    await this.#deliver(groups.slice(0, middle));
    await this.#deliver(groups.slice(middle));
  }

  /** A group alone was refused: for good, or until there is room. */
  #refuse(group: Group, error: TqError): void {
    const { clock } = this.#options;
    const waitMs = error.retryAfterMs;
    if (
      this.#closed !== undefined ||
      !isRetryable(error) ||
      waitMs === undefined ||
      clock.now() + waitMs > group.giveUpAtMs
    ) {
      group.reject(error);
      return;
    }
    const timer = clock.setTimeout(() => {
      this.#asideTimers.delete(group);
      this.#waiting.unshift(group);
      this.#schedule();
    }, waitMs);
    this.#asideTimers.set(group, timer);
  }
}

/** Whether the server has read the call and said no, so that one part of it may be to blame. */
function isRefusal(error: TqError): boolean {
  return (
    error.code === "invalid_argument" ||
    error.code === "already_exists" ||
    error.code === "failed_precondition" ||
    error.code === "resource_exhausted" ||
    error.code === "out_of_range"
  );
}

/** The fields that are about tasks `offset` to `offset + count - 1` of the call, with indices as the group counts them. */
function ownFields(fields: readonly FieldViolation[], offset: number, count: number): FieldViolation[] {
  return fields.flatMap(({ field, description }) => {
    const match = /^tasks\[(\d+)\]/.exec(field);
    if (match === null) return [];
    const index = Number(match[1]) - offset;
    if (index < 0 || index >= count) return [];
    return [{ field: `tasks[${index}]${field.slice(match[0].length)}`, description }];
  });
}

/** The error with the group's own fields, and indices in its text as the group counts them. */
function rebased(error: TqError, fields: readonly FieldViolation[], offset: number, count: number): TqError {
  const message = error.message.replace(/tasks\[(\d+)\]/g, (text, digits: string) => {
    const index = Number(digits) - offset;
    return index >= 0 && index < count ? `tasks[${index}]` : text;
  });
  return error.with({ message, fields });
}
