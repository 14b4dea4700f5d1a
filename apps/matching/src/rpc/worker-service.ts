import type { ServiceImpl } from "@connectrpc/connect";
import type {
  AnswerStatus,
  CancelRequest,
  HeartbeatTasksResponse,
  PollTasksRequest,
  PollTasksResponse,
  RenewLeasesResponse,
  RespondTasksRequest,
  WorkerService,
} from "@tq/proto";
import type { DispatchedTask } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";
import { refusedByStore } from "../errors/store-refusal.ts";
import type { PollReply, RenewReply } from "../matching/matching.ts";
import { answersOf, readAnswers, toAnswerStatuses, type AnswerBatch } from "../translation/answers.ts";
import { toDispatchedMessage } from "../translation/dispatched-message.ts";
import { readHeartbeatCall, readPoll, readPollIds, readRenewal, type ReadPoll } from "../translation/poll.ts";
import { makeTaskId } from "../translation/task-id.ts";
import { encodeTaskToken } from "../translation/task-token.ts";
import { toTimestamp } from "../translation/time.ts";
import { bounds } from "../validation/bounds.ts";
import { allowName, requireName } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { originOf, surroundings, type CallOrigin, type ServicesContext } from "./services-context.ts";

/** The calls of workers. */
export function workerService(services: ServicesContext): ServiceImpl<typeof WorkerService> {
  const { matching, namespaces } = services;
  return {
    async pollTasks(request, context): Promise<PollTasksResponse> {
      const { tasks, ...reply } = await pollTasks(services, request, answersOf(request), originOf(context));
      return { $typeName: "tq.v1.PollTasksResponse", tasks: tasks.map(toDispatchedMessage), ...reply };
    },

    async respondTasks(request) {
      return { statuses: await respondTasks(services, request, answersOf(request)) };
    },

    async renewLeases(request, context): Promise<RenewLeasesResponse> {
      const namespace = await namespaces.of(request);
      const reply = await matching.renew(readRenewal(request, surroundings(services, namespace, originOf(context))));
      return {
        $typeName: "tq.v1.RenewLeasesResponse",
        ...toNews(reply),
        drainRequested: reply.drainRequested,
        registrationsWanted: reply.registrationsWanted,
        noticesSeen: reply.noticesSeen,
      };
    },

    async heartbeatTasks(request): Promise<HeartbeatTasksResponse> {
      const namespace = await namespaces.of(request);
      const reply = await matching.heartbeat(readHeartbeatCall(request, namespace));
      return { $typeName: "tq.v1.HeartbeatTasksResponse", ...toNews(reply) };
    },

    async shutdownWorker(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      requireName(request.workerId, bounds.workerIdBytes, "worker_id", violations);
      violations.throwIfAny();
      matching.shutdownWorker(namespace, request.workerId);
      return {};
    },
  };
}

/**
 * PollTasks, whichever way its request was read and its reply is written. Nothing waits here once it has begun, and of the
 * request no message is kept: thousands of polls may be open.
 *
 * @param answers those that the request carries
 */
export async function pollTasks(
  services: ServicesContext,
  request: PollTasksRequest,
  answers: AnswerBatch,
  origin: CallOrigin,
): Promise<PolledTasks> {
  const { matching, namespaces } = services;
  const namespace = await namespaces.of(request);
  const { call, refused } = readPoll(request, answers, surroundings(services, namespace, origin));
  const { pollId } = call;
  const carried = answers.count === 0 ? undefined : { answers, refused };
  return matching.poll(call).then((reply) => toPolledTasks(reply, pollId, carried));
}

/** The answers that a poll carried, and which of them were refused before they came to the engine. */
interface Carried extends Pick<ReadPoll, "refused"> {
  readonly answers: Pick<AnswerBatch, "commandsOf">;
}

function toPolledTasks(reply: PollReply, pollId: string, carried: Carried | undefined): PolledTasks {
  switch (reply.kind) {
    case "superseded":
      throw new CallRefused("POLL_SUPERSEDED", { subject: pollId });
    case "refused":
      throw refusedByStore(reply.refused, `answers[${reply.refused.index}]`);
    case "answered": {
      const { tasks, statuses, registrationsWanted, drainRequested } = reply;
      const answerStatuses = carried === undefined ? [] : toAnswerStatuses(carried.answers, carried.refused, statuses);
      return { tasks, answerStatuses, registrationsWanted, drainRequested };
    }
  }
}

/** What PollTasks answers. */
export interface PolledTasks extends Pick<
  PollTasksResponse,
  "answerStatuses" | "registrationsWanted" | "drainRequested"
> {
  readonly tasks: readonly DispatchedTask[];
}

/** RespondTasks, in the same way. */
export async function respondTasks(
  services: ServicesContext,
  request: RespondTasksRequest,
  answers: AnswerBatch,
): Promise<AnswerStatus[]> {
  const { matching, namespaces } = services;
  const namespace = await namespaces.of(request);
  const violations = new Violations();
  const { workerId } = request;
  allowName(workerId, bounds.workerIdBytes, "worker_id", violations);
  const receivedPollIds = readPollIds(request.receivedPollIds, violations);
  const makeId = (): string => makeTaskId(matching.now());
  const { operation, refused } = readAnswers(answers, namespace, { violations, makeId });
  violations.throwIfAny();
  const result = await matching.answer(operation, { workerId, receivedPollIds });
  if ("refused" in result) throw refusedByStore(result.refused, `answers[${result.refused.index}]`);
  return toAnswerStatuses(answers, refused, result.statuses);
}

/** What a caller is told about the leases that it named. */
function toNews({ lost, cancels }: Pick<RenewReply, "lost" | "cancels">) {
  return {
    lostTokens: lost.map((lease) => encodeTaskToken(lease)),
    cancelRequests: cancels.map(({ lease, reason, requestedAt }): CancelRequest => ({
      $typeName: "tq.v1.CancelRequest",
      token: encodeTaskToken(lease),
      reason,
      requestedAt: toTimestamp(requestedAt),
    })),
  };
}
