import { defaultLeaseMs, maxLeaseMs, minLeaseMs, taskQueueKey, type TaskQueue } from "@tq/matching-core";
import type { HeartbeatTasksRequest, ItemError, PollTasksRequest, RenewLeasesRequest } from "@tq/proto";
import type { Encoded } from "@tq/storage";
import type { LeaseRef } from "@tq/matching-core";
import type { CallerSignal, Delivery, HeartbeatCall, PollCall, RenewCall } from "../matching/matching.ts";
import { bounds } from "../validation/bounds.ts";
import { limitItems, limitRate, readCount, readDurationMs } from "../validation/numbers.ts";
import { allowName } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { readAnswers, readToken, type AnswerBatch } from "./answers.ts";
import { readPayload } from "./payload.ts";
import { readTaskQueue } from "./task-queue.ts";
import { readWorkerCall } from "./worker-call.ts";
import type { Writable } from "./writable.ts";

/** A wait is cut at its longest, not refused. */
const waitRange = { minMs: 0, maxMs: Infinity, words: "0 to 60 s" };
const holdRange = { minMs: 0, maxMs: bounds.longestWaitMs, words: "0 to 60 s" };
const leaseRange = { minMs: minLeaseMs, maxMs: maxLeaseMs, words: "1 s to 12 h" };
const maxTasks = { max: bounds.tasksPerPoll, byDefault: 1 };

/** What of a call is not in its request. */
export interface CallSurroundings {
  readonly namespace: string;
  readonly signal: CallerSignal;
  readonly delivery: Delivery;
  readonly makeId: () => string;
  /** How long a call may be held that asks for so many ms; undefined where it does not say. */
  readonly holdFor: (askedMs: number | undefined) => number;
}

/** A poll as the engine takes it, and which of its answers were refused before they came there. */
export interface ReadPoll {
  readonly call: PollCall;
  readonly refused: readonly (ItemError | undefined)[];
}

/** A poll that carries answers waits no longer than this, since their statuses come with its answer. */
const longestWaitWithAnswersMs = 1_000;

/** A poll, checked and with its defaults. `answers`: those that it carries. */
export function readPoll(request: PollTasksRequest, answers: AnswerBatch, around: CallSurroundings): ReadPoll {
  const { namespace } = around;
  const violations = new Violations();
  const worker = readWorkerCall(request.worker, namespace, undefined, "everything", violations);
  allowName(request.pollId, bounds.pollIdBytes, "poll_id", violations);
  if (request.taskQueues.length === 0) violations.add("INVALID_FIELD", "task_queues", "must name at least one queue");
  const queues = readQueues(request, namespace, violations);
  const leaseMs = readDurationMs(request.lease, leaseRange, "lease", violations) ?? defaultLeaseMs;
  const confirmRange = { minMs: 1_000, maxMs: leaseMs, words: "1 s to the length of the lease" };
  const confirmWithinMs = readDurationMs(request.confirmWithin, confirmRange, "confirm_within", violations);
  const askedMs = readDurationMs(request.wait, waitRange, "wait", violations);
  const { taskQueueRatePerSecond: askedRate } = request;
  if (askedRate !== undefined) limitRate(askedRate, "task_queue_rate_per_second", violations);
  const { operation, refused } = readAnswers(answers, namespace, { violations, makeId: around.makeId });
  const maximum = readCount(request.maxTasks, maxTasks, "max_tasks", violations);
  const receivedPollIds = readPollIds(request.receivedPollIds, violations);
  violations.throwIfAny();

  const carriesAnswers = answers.count > 0;
  const waitMs = around.holdFor(askedMs);
  const call: Writable<PollCall> = {
    worker,
    pollId: request.pollId,
    queues,
    maxTasks: maximum,
    leaseMs,
    waitMs: carriesAnswers ? Math.min(waitMs, longestWaitWithAnswersMs) : waitMs,
    receivedPollIds,
    signal: around.signal,
    delivery: around.delivery,
  };
  if (askedRate !== undefined) call.askedRate = askedRate;
  if (confirmWithinMs !== undefined) call.confirmWithinMs = confirmWithinMs;
  if (carriesAnswers) call.answers = operation;
  return { call, refused };
}

/** A renewal, checked. */
export function readRenewal(request: RenewLeasesRequest, around: CallSurroundings): RenewCall {
  const violations = new Violations();
  const worker = readWorkerCall(request.worker, around.namespace, request.status, "unchanged", violations);
  const queues = readQueues(request, around.namespace, violations);
  const leases: LeaseRef[] = [];
  if (limitItems(request.tokens.length, bounds.tokensPerRenewal, "tokens", violations)) {
    for (const [i, token] of request.tokens.entries()) {
      violations.within("tokens", i);
      const lease = readToken(token, "", violations);
      if (lease !== undefined) leases.push(lease);
    }
  }
  violations.atTop();
  const heartbeats = readHeartbeats(request, violations);
  const askedMs = readDurationMs(request.hold, holdRange, "hold", violations) ?? 0;
  allowName(request.noticesSeen, bounds.nameBytes, "notices_seen", violations);
  const receivedPollIds = readPollIds(request.receivedPollIds, violations);
  const heldUpPollIds = readPollIds(request.heldUpPollIds, violations, "held_up_poll_ids");
  violations.throwIfAny();
  return {
    worker,
    queues,
    leases,
    heartbeats,
    receivedPollIds,
    heldUpPollIds,
    holdMs: around.holdFor(askedMs),
    noticesSeen: request.noticesSeen,
    signal: around.signal,
  };
}

/** Polls that a call names; those whose answers have arrived, unless another field is said. */
export function readPollIds(
  ids: readonly string[],
  violations: Violations,
  field = "received_poll_ids",
): readonly string[] {
  if (!limitItems(ids.length, bounds.receivedPollIds, field, violations)) return [];
  for (const [i, id] of ids.entries()) allowName(id, bounds.pollIdBytes, `${field}[${i}]`, violations);
  return ids;
}

function readQueues(
  request: PollTasksRequest | RenewLeasesRequest,
  namespace: string,
  violations: Violations,
): TaskQueue[] {
  const queues = new Map<string, TaskQueue>();
  if (limitItems(request.taskQueues.length, bounds.queuesPerPoll, "task_queues", violations)) {
    for (const [i, ref] of request.taskQueues.entries()) {
      const queue = readTaskQueue(ref, namespace, "named", `task_queues[${i}]`, violations);
      queues.set(taskQueueKey(queue), queue);
    }
  }
  // One that is named twice is served once.
  return [...queues.values()];
}

/** Heartbeats by token alone, checked. */
export function readHeartbeatCall(request: HeartbeatTasksRequest, namespace: string): HeartbeatCall {
  const violations = new Violations();
  const heartbeats = readHeartbeats(request, violations);
  violations.throwIfAny();
  return { namespace, heartbeats };
}

function readHeartbeats(
  request: RenewLeasesRequest | HeartbeatTasksRequest,
  violations: Violations,
): { readonly lease: LeaseRef; readonly details?: Encoded }[] {
  const heartbeats: { readonly lease: LeaseRef; readonly details?: Encoded }[] = [];
  if (!limitItems(request.heartbeats.length, bounds.tokensPerRenewal, "heartbeats", violations)) return heartbeats;
  for (const [i, heartbeat] of request.heartbeats.entries()) {
    violations.within("heartbeats", i);
    const lease = readToken(heartbeat.token, "token", violations);
    const details = readPayload(heartbeat.details, "details", violations, bounds.heartbeatBytes);
    if (lease !== undefined) heartbeats.push(details === undefined ? { lease } : { lease, details });
  }
  violations.atTop();
  return heartbeats;
}
