// Makes large calls out of small ones.
//
// What is handed in at once is a group: one task of `add`, or the tasks of one `addMany`, which are added all or none.
// Groups wait in order; a call takes from the front what fits. While a call is under way others gather behind it, so the
// busier the client, the larger the calls, and nobody ever waits for a timer.
//
// Where many callers await their adds, one call for all that they add would make client and server take turns: one makes
// tasks while the other has nothing to do. So of many tasks that come together half are sent first, and as a reply comes,
// what waits is sent before the callers hear of it: they make their next tasks while the server is at the others' ones. Where
// that brings nothing, as one caller awaits them all, the next ones that come together go in one call again.
//
// The server takes a call all or none too, so a group must not be refused for the sake of a neighbour that it never chose.
// If a call of several groups is refused, the groups that the error names get it, and the others are sent again. If it
// names none, the call is halved until the guilty ones are alone. A group that is refused because there is too much of
// something right now steps aside until the server says to come back, and holds nobody up meanwhile.
//
// While a call is under way there is time to encode what waits for the next one, which the server would wait for later.
//
// Ids that callers chose stand in a call once: a second task with the same id waits for the next call, where the server
// answers it with the first one, as if it had come alone.

import type { AddedTask, NewTask } from "@tq/proto";
import { AddGroup, type AddGroupParts } from "./add-group.ts";
import type { AddRoom } from "./add-room.ts";
import type { Clock } from "./clock.ts";
import { Line } from "./line.ts";
import { type FieldViolation, type TqError, toTqError } from "./errors.ts";
import { inOptionNames } from "./option-names.ts";
import { isRetryable, type RetryOptions } from "./retry.ts";

/** So many tasks are worth two calls: with fewer, what a call costs by itself is as much as taking turns does. */
const enoughForTwo = 256;
/** So many are worth a call before the callers of the last one are told. */
const enoughToGoFirst = enoughForTwo / 2;
/** So often many tasks go in one call after two have brought nothing. */
const triedAgainAfter = 8;

/** What the coalescer needs. */
export interface AddCoalescerOptions {
  readonly clock: Clock;
  readonly maxTasksPerCall: number;
  readonly maxBytesPerCall: number;
  readonly maxCallsInFlight: number;
  /** How long a group may be tried for, in milliseconds. */
  readonly giveUpAfterMs: number;
  /** Where groups take room; they give it back as they are answered. */
  readonly room: AddRoom;
  /** Hears of tasks that were not added, for all that was tried. Those that a caller gave up are none of them. */
  readonly onFailed: (tasks: number, error: TqError) => void;
  /** Encodes tasks before their call is made; undefined if they cannot be. Unset where calls cannot take them so. */
  readonly encode: ((tasks: readonly NewTask[]) => Uint8Array | undefined) | undefined;
  /** Makes one call, tried again as need be. With `encoded`, if all of the tasks were encoded before: piece by piece. */
  readonly send: (
    tasks: NewTask[],
    encoded: readonly Uint8Array[] | undefined,
    options: RetryOptions,
  ) => Promise<readonly AddedTask[]>;
}

/** See the top of the file. */
export class AddCoalescer {
  readonly #options: AddCoalescerOptions;
  readonly #ending = new AbortController();
  readonly #waiting = new Line<AddGroup>();
  /**
   * The groups of each call under way. In an array, not a set: tables that a set has grown out of keep what was in them, so
   * that young garbage lives on until a full collection.
   */
  readonly #underWay: (readonly AddGroup[])[] = [];
  readonly #aside = new Set<AddGroup>();
  #callsInFlight = 0;
  #isScheduled = false;
  #isToEncode = false;
  #isClosing = false;
  /** How far the two calls are whose callers show whether they are worth it. */
  #twoCalls: "none" | "sent" | "half answered" = "none";
  /** How often many tasks still go in one. */
  #inOneCall = 0;

  constructor(options: AddCoalescerOptions) {
    this.#options = options;
  }

  /** Adds the tasks of a group, all or none; answers in their order. */
  add<T>(parts: AddGroupParts<T>): Promise<T> {
    const { clock, giveUpAfterMs, room } = this.#options;
    const group = new AddGroup(parts, room, clock.now() + giveUpAfterMs);
    if (this.#ending.signal.aborted) group.reject(this.#ending.signal.reason as Error);
    else if (!group.isOver) {
      if (parts.signal !== undefined) group.onGivenUp = () => this.#waiting.gaveUp();
      this.#waiting.push(group);
      this.#encodeSoon();
      this.#schedule();
    }
    return group.answer;
  }

  /** No group stands aside any longer: those that do, and those that would, are refused with `error`. */
  close(error: TqError): void {
    this.#isClosing = true;
    for (const group of this.#aside) group.reject(error);
  }

  /** Breaks off what is on its way, and refuses everything: what was sent with `sent`, what was not with `unsent`. */
  abort(sent: TqError, unsent: TqError): void {
    const underWay = this.#underWay.flat();
    this.#ending.abort(unsent);
    for (const group of underWay) group.reject(sent);
    for (let group = this.#waiting.shift(); group !== undefined; group = this.#waiting.shift()) group.reject(unsent);
  }

  /** Lets what arrives in this turn of the event loop gather, then sends. */
  #schedule(): void {
    if (this.#isScheduled || this.#callsInFlight >= this.#options.maxCallsInFlight) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#sendWaiting(this.#callsInFlight === 0);
    });
  }

  /** @param isFirst nothing is under way: half of many tasks may be left for the next call */
  #sendWaiting(isFirst: boolean): void {
    const { maxTasksPerCall, maxCallsInFlight } = this.#options;
    let mostTasks = isFirst && maxCallsInFlight === 1 ? this.#halfOfMany() : maxTasksPerCall;
    while (this.#waiting.first() !== undefined && this.#callsInFlight < maxCallsInFlight) {
      this.#send(this.#takeWaiting(mostTasks));
      mostTasks = maxTasksPerCall;
    }
  }

  /** The most tasks of a call behind which the other half of what waits is to go. */
  #halfOfMany(): number {
    const { maxTasksPerCall } = this.#options;
    const waiting = this.#countWaiting(2 * maxTasksPerCall);
    if (waiting < enoughForTwo) return maxTasksPerCall;
    if (this.#inOneCall > 0) {
      this.#inOneCall--;
      return maxTasksPerCall;
    }
    this.#twoCalls = "sent";
    return Math.ceil(waiting / 2);
  }

  #send(groups: readonly AddGroup[]): void {
    this.#callsInFlight++;
    this.#underWay.push(groups);
    let isFreed = false;
    /** The next call may go out. Answers whether it did. */
    const free = (): boolean => {
      if (isFreed) return false;
      isFreed = true;
      this.#callsInFlight--;
      this.#underWay.splice(this.#underWay.indexOf(groups), 1);
      this.#noteTwoCalls();
      const isMany = this.#countWaiting(enoughToGoFirst) >= enoughToGoFirst;
      if (isMany) this.#sendWaiting(false);
      else if (this.#waiting.first() !== undefined) this.#schedule();
      return isMany;
    };
    void this.#deliver(groups, free).then(free);
    this.#encodeSoon();
  }

  /** Encodes what waits for the next call, if it cannot go out yet. No more than that: what is encoded is in memory twice. */
  #encodeSoon(): void {
    const { encode, maxTasksPerCall, maxBytesPerCall, maxCallsInFlight } = this.#options;
    if (encode === undefined || this.#isToEncode || this.#callsInFlight < maxCallsInFlight) return;
    if (this.#waiting.first() === undefined) return;
    this.#isToEncode = true;
    setImmediate(() => {
      this.#isToEncode = false;
      let tasks = 0;
      let bytes = 0;
      for (const group of this.#waiting) {
        tasks += group.tasks.length;
        bytes += group.bytes;
        if (tasks > maxTasksPerCall || bytes > maxBytesPerCall) return;
        if (group.encoded === undefined) group.encoded = encode(group.tasks) ?? null;
        // Then the call with it is encoded as a whole.
        if (group.encoded === null) return;
      }
    });
  }

  /** What was encoded of groups, with the few that have come since; undefined if none was, or one of them cannot be. */
  #encodedOf(groups: readonly AddGroup[]): readonly Uint8Array[] | undefined {
    const { encode } = this.#options;
    if (encode === undefined || groups.every(({ encoded }) => encoded === undefined)) return undefined;
    const pieces: Uint8Array[] = [];
    for (const { encoded, tasks } of groups) {
      const piece = encoded === undefined ? encode(tasks) : encoded;
      if (piece === undefined || piece === null) return undefined;
      pieces.push(piece);
    }
    return pieces;
  }

  /** A call was answered. If it was the second of two, and nobody has added meanwhile, whoever had the first reply awaits both. */
  #noteTwoCalls(): void {
    if (this.#twoCalls === "half answered" && this.#waiting.first() === undefined) this.#inOneCall = triedAgainAfter;
    this.#twoCalls = this.#twoCalls === "sent" ? "half answered" : "none";
  }

  /** How many tasks wait, as far as there are so many. */
  #countWaiting(enough: number): number {
    let tasks = 0;
    for (const group of this.#waiting) {
      tasks += group.tasks.length;
      if (tasks >= enough) return enough;
    }
    return tasks;
  }

  /** The groups of the next call: from the front, as many as fit, at least one. */
  #takeWaiting(maxTasks: number): AddGroup[] {
    const { maxBytesPerCall } = this.#options;
    const ids = new Set<string>();
    const groups: AddGroup[] = [];
    let tasks = 0;
    let bytes = 0;
    for (let group = this.#waiting.first(); group !== undefined; group = this.#waiting.first()) {
      tasks += group.tasks.length;
      bytes += group.bytes;
      if (groups.length > 0 && (tasks > maxTasks || bytes > maxBytesPerCall)) break;
      if (groups.length > 0 && group.chosenIds.some((id) => ids.has(id))) break;
      for (const id of group.chosenIds) ids.add(id);
      groups.push(group);
      this.#waiting.shift();
    }
    return groups;
  }

  /**
   * Sends groups in one call, and again in smaller ones as need be, until each is answered or stands aside. Never rejects.
   *
   * @param free called once all are added, before anybody hears of it; answers whether the next call went out
   */
  async #deliver(all: readonly AddGroup[], free: () => boolean): Promise<void> {
    // Some callers may have given up meanwhile.
    const groups = all.filter(({ isOver }) => !isOver);
    if (groups.length === 0) return;
    const giveUpAtMs = groups.reduce((latest, group) => Math.max(latest, group.giveUpAtMs), 0);
    const { signal } = this.#ending;
    const retryable = (error: TqError) => isRetryable(error) && !isRefusal(error);
    let added: readonly AddedTask[];
    try {
      const tasks = groups.flatMap((group) => group.tasks);
      added = await this.#options.send(tasks, this.#encodedOf(groups), { giveUpAtMs, retryable, signal });
    } catch (unknown) {
      await this.#refused(groups, toTqError(unknown));
      return;
    }
    const answer = (): void => {
      let offset = 0;
      for (const group of groups) {
        group.resolve(added, offset);
        offset += group.tasks.length;
      }
    };
    // Once the next call has been written: what the callers go on with would come before.
    if (free()) setImmediate(answer);
    else answer();
  }

  async #refused(groups: readonly AddGroup[], error: TqError): Promise<void> {
    const [first] = groups;
    if (first === undefined) return;
    if (!isRefusal(error)) {
      for (const group of groups) this.#fail(group, error);
      return;
    }
    if (groups.length === 1) {
      this.#refuse(first, error);
      return;
    }
    const innocent: AddGroup[] = [];
    let offset = 0;
    for (const group of groups) {
      const named = ownFields(error.fields, offset, group.tasks.length);
      if (named.length > 0) this.#refuse(group, rebased(error, named, offset, group.tasks.length));
      else innocent.push(group);
      offset += group.tasks.length;
    }
    if (innocent.length < groups.length) {
      if (innocent.length > 0) await this.#deliver(innocent, notYet);
      return;
    }
    const middle = groups.length >> 1;
    await this.#deliver(groups.slice(0, middle), notYet);
    await this.#deliver(groups.slice(middle), notYet);
  }

  #fail(group: AddGroup, error: TqError): void {
    if (!group.isOver) this.#options.onFailed(group.tasks.length, error);
    group.reject(inOptionNames(error, group.tasks.length === 1));
  }

  /** A group alone was refused: for good, or until there is room. */
  #refuse(group: AddGroup, error: TqError): void {
    const { clock } = this.#options;
    const waitMs = error.retryAfterMs;
    if (this.#isClosing || !isRetryable(error) || waitMs === undefined || clock.now() + waitMs > group.giveUpAtMs) {
      this.#fail(group, error);
      return;
    }
    this.#aside.add(group);
    // It may be a while.
    group.encoded = undefined;
    const before = group.onAnswered;
    const comeBack = () => {
      this.#aside.delete(group);
      group.onAnswered = before;
      this.#waiting.unshift([group]);
      this.#schedule();
    };
    const timer = clock.setTimeout(comeBack, waitMs);
    group.onAnswered = () => {
      this.#aside.delete(group);
      clock.clearTimeout(timer);
      before?.();
    };
  }
}

/** More of the same call is to come. */
function notYet(): boolean {
  return false;
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
