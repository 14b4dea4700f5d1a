/* Where ready tasks stand, as follows from when each became ready: what order was promised, and no more. */
import { taskQueueKey } from "@tq/matching-core";
import type { TaskRecord } from "@tq/storage";
import type { CommitEntry } from "../history.ts";

/** A place: the number of the commit that gave it, and in it the order of adding, where it is known. */
export interface Place {
  readonly commit: number;
  /** Undefined: among others of the same commit, its order is not promised. */
  readonly seq: number | undefined;
}

/** Whether one place is surely before another. */
export function isBefore(one: Place, other: Place): boolean {
  if (one.commit !== other.commit) return one.commit < other.commit;
  return one.seq !== undefined && other.seq !== undefined && one.seq < other.seq;
}

type Status = "scheduled" | "in line" | "placed" | "started";

interface Known {
  readonly run: number;
  readonly queue: string;
  readonly status: Status;
  /** Names the last attempt that failed. */
  readonly failure: string;
  /** Its place among the tasks of its key. */
  readonly place: Place | undefined;
  /** Its place among the tasks of its serial key; kept until it closes. */
  readonly line: Place | undefined;
}

/** Follows every open task. */
export class Places {
  #commit = 0;
  #known = new Map<number, Known>();

  /** Takes a commit in. Asked afterwards, it says where the tasks stood when the commit claimed. */
  follow(commit: CommitEntry): void {
    this.#commit += 1;
    const known = new Map<number, Known>();
    const moves = commit.operations.some(
      ({ verb }) => verb === "change-tasks" || verb === "fall-back" || verb === "expire",
    );
    for (const task of commit.open) known.set(task.seq, this.#next(task, !moves));
    this.#known = known;
  }

  placeOf(seq: number): Place | undefined {
    return this.#known.get(seq)?.place;
  }

  lineOf(seq: number): Place | undefined {
    return this.#known.get(seq)?.line;
  }

  /** @param inOrderOfAdding the commit moved nothing, so what is new in it stands as it was added */
  #next(task: TaskRecord, inOrderOfAdding: boolean): Known {
    const { seq, run } = task;
    // A task that has moved to its fallback has none there; it may be the queue that it was in.
    const queue = `${taskQueueKey(task.queue)} ${task.fallback !== undefined}`;
    const before = this.#known.get(seq);
    const same = before?.run === run && before.queue === queue ? before : undefined;
    const status = statusOf(task);
    const isNew = before === undefined && inOrderOfAdding;
    const inLine: Place = { commit: this.#commit, seq: isNew ? seq : undefined };
    const line = same?.line ?? (status === "scheduled" ? undefined : inLine);
    // One with a serial key may have got its turn, and its place, after those that were added later.
    const here: Place = { commit: this.#commit, seq: isNew && task.serialKey === undefined ? seq : undefined };
    const failure = lastFailureOf(task);
    const wasPlaced = same?.status === "placed" || same?.status === "started";
    const keeps = wasPlaced && same.failure === failure;
    const place = status === "scheduled" || status === "in line" ? undefined : keeps ? same.place : here;
    return { run, queue, status, failure, place, line };
  }
}

function statusOf({ state, waitsForSerialKey }: TaskRecord): Status {
  if (state === "started") return "started";
  if (state === "scheduled") return "scheduled";
  return waitsForSerialKey ? "in line" : "placed";
}

/** A failed attempt is placed anew; a released or returned one gets its old place back. */
function lastFailureOf({ failedAttempts }: TaskRecord): string {
  const last = failedAttempts.at(-1);
  return last === undefined ? "" : `${last.run} ${last.attempt}`;
}
