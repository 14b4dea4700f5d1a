/*
 * The dispatch order of a queue: front + lanes.
 *
 * A light key's tasks stand in the front themselves, each with its pass. A heavy key (see the core's fairness) puts
 * later tasks into a lane for each of their types, first in first out, and each lane has one marker in the front. A
 * claim that meets a marker takes the key's next task over all its lanes of the types that are asked for, so that inside
 * a key first in is first out whatever the types; the marker then moves one stride on. All of a claim's markers are
 * written once, at its end.
 *
 * A key that has limits stands in lanes from the first, however light. When it has used them up it is held back: its lanes
 * are blocked, which takes their markers out of the front, so that nothing is left of it there to be passed over. Let go,
 * each lane gets its marker back at the present virtual time: the key is owed nothing.
 *
 * Two layouts were measured and rejected: a pass fixed as the task is written (a million throttled tasks at the head are
 * scanned by every claim), and one row per key to choose from (32,000 tasks/s with 10,000 keys).
 */
import { isLight, placePass, stride, type Place, type Priority } from "@tq/matching-core";
import { limitsOf, weightOf, type HoldBack, type KeyLimits } from "../key-limits.ts";
import type { KeyPasses } from "../key-passes.ts";
import type { QueueState } from "../queues.ts";
import type { Front, FrontRow } from "./front.ts";
import type { TaskRows } from "../tasks.ts";
import type { LaneRow } from "./lane-rows.ts";
import type { Lanes } from "./lanes.ts";
import { Ranks } from "./ranks.ts";

/** What the order needs to know of a task. */
export interface Placeable {
  readonly seq: number;
  readonly type: string;
  readonly priority: Priority;
  readonly key: string;
  readonly weight: number;
  /** When it became ready. */
  readonly since: number;
}

/** Places ready tasks, and takes them out again. */
export class Order {
  readonly front: Front;
  readonly lanes: Lanes;
  readonly passes: KeyPasses;
  readonly limits: KeyLimits;
  readonly ranks = new Ranks();
  readonly #tasks: TaskRows;

  constructor(front: Front, lanes: Lanes, passes: KeyPasses, limits: KeyLimits, tasks: TaskRows) {
    this.#tasks = tasks;
    this.front = front;
    this.lanes = lanes;
    this.passes = passes;
    this.limits = limits;
  }

  /** Forgets what is in memory: the transaction failed. Passes and limits are others' to see to. */
  reset(): void {
    for (const part of [this.front, this.lanes, this.ranks]) part.reset();
  }

  /** Writes what the transaction changed. At its end. */
  flush(): void {
    this.front.flush();
    this.lanes.flush();
  }

  /** Writes what the journal alone has. Between transactions. */
  settle(): void {
    this.front.settle();
    this.lanes.settle();
  }

  /** Gives a task its place: behind everything of its key, and fairly among the others. */
  place(queue: QueueState, task: Placeable, place: number): Place {
    const { type, priority, key, seq, since } = task;
    const weight = weightOf(queue, key) ?? task.weight;
    const virtualTime = queue.virtualTimes[priority] ?? 0;
    const pass = placePass(virtualTime, this.passes.get(queue, priority, key));
    const lanes = this.lanes.of(queue, key, priority);
    if (lanes.length === 0 && isLight(pass, virtualTime, weight) && limitsOf(queue, key) === undefined) {
      this.front.insert(queue, priority, type, { pass, place, seq, key, marker: false, weight, since });
      this.passes.set(queue, priority, key, pass + stride(weight));
      return { pass, place };
    }
    let lane = lanes.find((one) => one.type === type);
    if (lane === undefined) {
      const blocked = this.limits.heldBack(queue, key) !== undefined;
      lane = this.lanes.set(queue, key, priority, { type, markerPass: pass, markerPlace: place, blocked });
      if (!blocked) this.front.insert(queue, priority, type, { pass, place, seq: 0, key, marker: true, weight, since });
    }
    this.lanes.push(lane, { place, seq, weight, since });
    return { pass, place };
  }

  /** Puts a task back where it was dispatched from, before everything that was placed after it. */
  putBack(queue: QueueState, task: Placeable, at: Place): void {
    const { type, priority, key, weight, seq, since } = task;
    this.front.insertAgain(queue, priority, type, { ...at, seq, key, marker: false, weight, since });
  }

  /** Moves a task of the front to an earlier pass of its key. */
  moveUp(queue: QueueState, priority: Priority, type: string, row: FrontRow, pass: number): void {
    this.front.delete(queue, priority, type, row);
    this.front.insert(queue, priority, type, { ...row, pass });
    this.#tasks.setPlaced(row.seq, { pass, place: row.place });
  }

  /** The key's next task gets this pass at the latest, whether it is placed or stands in a lane. */
  continueAt(queue: QueueState, priority: Priority, key: string, pass: number): void {
    if (pass >= this.passes.get(queue, priority, key)) return;
    this.passes.set(queue, priority, key, pass);
    for (const { type, markerPass } of this.lanes.of(queue, key, priority)) {
      this.settleLane(queue, key, priority, type, Math.min(markerPass, pass));
    }
  }

  /** The key has used up its limits: blocks its lanes. */
  holdBack(queue: QueueState, key: string, held: HoldBack, now: number): void {
    this.limits.setHeldBack(queue, key, held, now);
    for (const { priority, lane } of this.lanes.ofKey(queue, key)) {
      if (lane.blocked) continue;
      this.front.removeMarker(lane);
      const { type, markerPass, markerPlace } = lane;
      this.lanes.set(queue, key, priority, { type, markerPass, markerPlace, blocked: true });
    }
  }

  /** The key may be dispatched again: its lanes get their markers back, at the present virtual time. */
  letGo(queue: QueueState, key: string, now: number): void {
    this.limits.setHeldBack(queue, key, undefined, now);
    for (const { priority, lane } of this.lanes.ofKey(queue, key)) {
      if (!lane.blocked) continue;
      const [head] = this.lanes.rows(queue, key, priority, lane.type, 0, 1);
      if (head === undefined) throw new Error(`the lane of ${key} and ${lane.type} is open and empty`);
      const { place, weight, since } = head;
      const pass = placePass(queue.virtualTimes[priority] ?? 0, this.passes.get(queue, priority, key));
      this.lanes.set(queue, key, priority, { type: lane.type, markerPass: pass, markerPlace: place, blocked: false });
      this.front.insert(queue, priority, lane.type, { pass, place, seq: 0, key, marker: true, weight, since });
    }
  }

  /**
   * Moves a task from the front into its key's lane. One that came back, or was placed before its key had limits, stands
   * there while others of its key do not, or must not go yet.
   */
  moveToLane(queue: QueueState, priority: Priority, type: string, row: FrontRow): void {
    const { key, place, seq, weight, since } = row;
    this.front.delete(queue, priority, type, row);
    const lane = this.lanes.of(queue, key, priority).find((one) => one.type === type);
    if (lane !== undefined) {
      this.lanes.putInto(lane, { place, seq, weight, since });
      this.settleLane(queue, key, priority, type);
      return;
    }
    const blocked = this.limits.heldBack(queue, key) !== undefined;
    const pass = placePass(queue.virtualTimes[priority] ?? 0, this.passes.get(queue, priority, key));
    const opened = this.lanes.set(queue, key, priority, { type, markerPass: pass, markerPlace: place, blocked });
    this.lanes.putInto(opened, { place, seq, weight, since });
    if (!blocked) this.front.insert(queue, priority, type, { pass, place, seq: 0, key, marker: true, weight, since });
  }

  /** Since when a task that is placed is ready. */
  since(queue: QueueState, { seq, type, priority, key }: Omit<Placeable, "since">, at: Place): number | undefined {
    const inFront = this.front.since(queue, priority, type, at);
    if (inFront !== undefined) return inFront;
    const [row] = this.lanes.rows(queue, key, priority, type, at.place - 1, 1);
    return row?.seq === seq ? row.since : undefined;
  }

  /** Takes a task out that was placed. Answers since when it was ready. */
  remove(queue: QueueState, task: Omit<Placeable, "since">, at: Place): number {
    const { type, priority, key } = task;
    const since = this.front.since(queue, priority, type, at);
    if (since !== undefined) {
      this.front.delete(queue, priority, type, at);
      const next = this.passes.get(queue, priority, key);
      // One that had come back stands behind the virtual time: it was paid for when it was dispatched.
      if (at.pass >= (queue.virtualTimes[priority] ?? 0) && at.pass < next) {
        this.ranks.left(queue, priority, key, at.pass);
      }
      return since;
    }
    const [row] = this.lanes.rows(queue, key, priority, type, at.place - 1, 1);
    if (row?.seq !== task.seq) throw new Error(`task ${task.seq} is ready, but neither in the front nor in a lane`);
    this.lanes.remove(queue, key, priority, type, at.place);
    this.settleLane(queue, key, priority, type);
    return row.since;
  }

  /**
   * Sees to a lane after rows of it went: closes it with its marker if it is empty. Else the marker stands at `pass`, or
   * where it did if none is given, and always at the place of the lane's first row: no task has that place but this one,
   * so that a task which comes back never finds a marker in its own.
   *
   * @param known the lane's first row, if it has just been read
   */
  settleLane(queue: QueueState, key: string, priority: Priority, type: string, pass?: number, known?: LaneRow): void {
    const lane = this.lanes.of(queue, key, priority).find((one) => one.type === type);
    if (lane === undefined) return;
    const { markerPass, markerPlace, blocked } = lane;
    const newPass = pass ?? markerPass;
    const head = known ?? this.lanes.rows(queue, key, priority, type, 0, 1)[0];
    if (head?.place === markerPlace && newPass === markerPass) return;
    if (head === undefined) {
      if (!blocked) this.front.removeMarker(lane);
      this.lanes.delete(queue, key, priority, type);
      return;
    }
    const { place, weight, since } = head;
    if (!blocked) this.front.moveMarker(lane, { pass: newPass, place, seq: 0, key, marker: true, weight, since });
    this.lanes.set(queue, key, priority, { type, markerPass: newPass, markerPlace: place, blocked });
  }
}
