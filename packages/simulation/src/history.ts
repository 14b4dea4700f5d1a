/*
 * What happened in a run, as plain data: what clients called and what they were told, what the store was asked for and
 * what it did, who owned it when. The checks are functions of this alone.
 */
import { createHash } from "node:crypto";
import type { LeaseRef, TaskQueue, TypeSet } from "@tq/matching-core";
import type { ClosedNotice, DispatchedTask, Operation, OperationResult, TaskRecord } from "@tq/storage";

/** A call of a client, as it left. */
export interface CallEntry {
  readonly kind: "call";
  readonly call: number;
  readonly actor: string;
  readonly request: Request;
  /** Ms since the world began. */
  readonly elapsed?: number;
}

/** What clients ask for, as far as the checks care. */
export type Request =
  | { readonly method: "add"; readonly requestId: string; readonly ids: readonly string[] }
  | { readonly method: "cancel"; readonly requestId: string; readonly ids: readonly string[]; readonly force: boolean }
  | {
      readonly method: "poll";
      readonly namespace: string;
      readonly requestId: string;
      readonly pollId: string;
      readonly workerId: string;
      /** Undefined: every type. */
      readonly types: readonly string[] | undefined;
      readonly queues: readonly string[];
      readonly maxTasks: number;
      readonly leaseMs: number;
      readonly confirmWithinMs?: number;
      readonly waitMs: number;
      readonly receivedPollIds: readonly string[];
      readonly answers: readonly AskedAnswer[];
    }
  | {
      readonly method: "respond";
      readonly requestId: string;
      readonly workerId: string;
      readonly answers: readonly AskedAnswer[];
    }
  | {
      readonly method: "renew";
      readonly requestId: "";
      readonly workerId: string;
      readonly tokens: readonly string[];
      readonly receivedPollIds: readonly string[];
    }
  | { readonly method: "shutdown"; readonly requestId: ""; readonly workerId: string }
  | { readonly method: "operate"; readonly requestId: string; readonly call: string; readonly asks: unknown };

/** One answer of a worker. */
export interface AskedAnswer {
  readonly token: string;
  readonly answer: string;
}

/** What a client was told, or that it was told nothing. */
export interface ReplyEntry {
  readonly kind: "reply";
  readonly call: number;
  readonly request: Request;
  readonly outcome: CallOutcome;
  /** Ms since the world began. */
  readonly elapsed?: number;
}

/** How a call ended, for whoever made it. */
export type CallOutcome =
  | { readonly kind: "ok"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly reason: string }
  /** Nobody knows whether it was carried out. */
  | { readonly kind: "lost" };

/** What servers answer, as far as the checks care. */
export type Reply =
  | {
      readonly method: "add";
      readonly added: readonly { readonly id: string; readonly run: number; readonly existed: boolean }[];
    }
  | { readonly method: "statuses"; readonly statuses: readonly string[] }
  | { readonly method: "poll"; readonly tasks: readonly PolledTask[]; readonly statuses: readonly string[] }
  | { readonly method: "renew"; readonly lost: readonly string[]; readonly canceled: readonly string[] }
  | { readonly method: "done"; readonly answer: string };

/** A task as a worker got it. */
export interface PolledTask {
  readonly token: string;
  readonly id: string;
  readonly run: number;
  readonly queue: string;
  readonly type: string;
  readonly attempt: number;
  /** How large it was in the answer. */
  readonly bytes: number;
}

/** A server opened the store. */
export interface OpenedEntry {
  readonly kind: "opened";
  readonly life: number;
  readonly epoch: number;
  /** Its own time, the latest that anything counts from. */
  readonly now: number;
}

/** A transaction that is on disk. */
export interface CommitEntry {
  readonly kind: "commit";
  readonly life: number;
  readonly epoch: number;
  readonly now: number;
  readonly operations: readonly Operation[];
  readonly results: readonly OperationResult[];
  readonly grants: readonly Grant[];
  readonly closed: readonly ClosedNotice[];
  /** Every open task as the transaction left it, in order of adding. */
  readonly open: readonly TaskRecord[];
  /** Ms since the world began. */
  readonly elapsed?: number;
}

/** A task that a transaction gave to a poll. */
export interface Grant {
  readonly task: DispatchedTask;
  readonly workerId: string;
  readonly pollId: string;
  /** Which offer of the commit it went to, and the most bytes that one took. */
  readonly offer: number;
  readonly maxBytes: number;
  /** Whether that offer was for its queue. */
  readonly asked: boolean;
  /** The types that the claim was for. */
  readonly types: TypeSet;
  /** The rate that workers asked for. */
  readonly askedRate: number | undefined;
}

/** A transaction that the store refused: nothing of it happened. */
export interface RefusedEntry {
  readonly kind: "commit-refused";
  readonly life: number;
  readonly epoch: number;
  readonly why: string;
}

/** The connection of a poll broke before a byte of its answer went out, and the server noticed it. */
export interface UndeliveredEntry {
  readonly kind: "undelivered";
  readonly life: number;
  readonly workerId: string;
  readonly pollId: string;
  readonly tokens: readonly string[];
}

/** What befell the world. */
export interface EventEntry {
  readonly kind: "event";
  readonly what: string;
}

/** A step of the run begins. */
export interface StepEntry {
  readonly kind: "step";
  readonly step: number;
  readonly action: string;
  /** Ms since the world began. */
  readonly elapsed: number;
}

/** One thing that happened. */
export type Entry =
  | CallEntry
  | ReplyEntry
  | UndeliveredEntry
  | OpenedEntry
  | CommitEntry
  | RefusedEntry
  | EventEntry
  | StepEntry;

/** Everything that happened, in order. */
export type History = readonly Entry[];

/** Names a task queue, for people. */
export function queueName(queue: Pick<TaskQueue, "name" | "kind">): string {
  return `${queue.name}/${queue.kind}`;
}

/** Names a run of a task. */
export function runName(task: { readonly id: string; readonly run: number }): string {
  return `${task.id}#${task.run}`;
}

/** Names the lease that a token proves. A token is version, shard, seq and lease number as varints, and a check. */
export function leaseOfToken(token: string): string {
  const bytes = Buffer.from(token, "hex");
  const numbers: number[] = [];
  for (let at = 1; numbers.length < 3;) {
    let [value, factor] = [0, 1];
    for (let byte = 0x80; byte >= 0x80; factor *= 0x80) {
      byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * factor;
    }
    numbers.push(value);
  }
  const [, seq = 0, leaseNo = 0] = numbers;
  return leaseName({ seq, leaseNo });
}

/** Names a lease. */
export function leaseName({ seq, leaseNo }: LeaseRef): string {
  return `${seq}:${leaseNo}`;
}

/** The commits of a history, in order. */
export function commitsOf(history: History): CommitEntry[] {
  return history.filter((entry) => entry.kind === "commit");
}

/** A fingerprint of everything that happened: two runs of one seed must have the same. */
export function hashOf(history: History): string {
  const hash = createHash("sha256");
  for (const entry of history) hash.update(`${JSON.stringify(entry, plain)}\n`);
  return hash.digest("hex");
}

/** The end of a history, a line each, without what only machines want to know. */
export function tailOf(history: History, lines: number): string {
  return history.slice(-lines).map(line).join("\n");
}

function line(entry: Entry): string {
  if (entry.kind !== "commit") return JSON.stringify(entry, plain);
  const { now, life, operations, results, grants, closed, open } = entry;
  const done = operations.map((operation, i) => ({ operation, result: results[i] }));
  const granted = grants.map(({ task, workerId, pollId }) => ({
    ...task.lease,
    id: task.id,
    queue: queueName(task.queue),
    workerId,
    pollId,
  }));
  return JSON.stringify({ kind: "commit", life, now, done, granted, closed, open: open.length }, plain);
}

/** Bytes and maps as JSON has them. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return [...(value as ReadonlyMap<unknown, unknown>)];
  if (typeof value === "bigint") return `${value}`;
  return value;
}
