import type { ServiceImpl } from "@connectrpc/connect";
import type { CancelRequest, PollTasksResponse, RenewLeasesResponse, WorkerService } from "@tq/proto";
import { CallRefused } from "../errors/call-refused.ts";
import { refusedByStore } from "../errors/store-refusal.ts";
import { readAnswers, toAnswerStatuses } from "../translation/answers.ts";
import { toDispatchedMessage } from "../translation/dispatched-message.ts";
import { readPoll, readPollIds, readRenewal } from "../translation/poll.ts";
import { makeTaskId } from "../translation/task-id.ts";
import { encodeTaskToken } from "../translation/task-token.ts";
import { toTimestamp } from "../translation/time.ts";
import { bounds } from "../validation/bounds.ts";
import { allowName, requireName } from "../validation/strings.ts";
import { Violations } from "../validation/violations.ts";
import { surroundings, type ServicesContext } from "./services-context.ts";

/** The calls of workers. */
export function workerService(services: ServicesContext): ServiceImpl<typeof WorkerService> {
  const { matching, namespaces } = services;
  const makeId = (): string => makeTaskId(matching.now());
  return {
    async pollTasks(request, context): Promise<PollTasksResponse> {
      const namespace = await namespaces.of(request);
      const { call, refused } = readPoll(request, surroundings(services, namespace, context));
      const reply = await matching.poll(call);
      switch (reply.kind) {
        case "superseded":
          throw new CallRefused("POLL_SUPERSEDED", { subject: request.pollId });
        case "refused":
          throw refusedByStore(reply.refused, `answers[${reply.refused.index}]`);
        case "answered":
          return {
            $typeName: "tq.v1.PollTasksResponse",
            tasks: reply.tasks.map(toDispatchedMessage),
            answerStatuses: toAnswerStatuses(request.answers, refused, reply.statuses),
            registrationsWanted: reply.registrationsWanted,
            drainRequested: reply.drainRequested,
          };
      }
    },

    async respondTasks(request) {
      const namespace = await namespaces.of(request);
      const violations = new Violations();
      const { workerId } = request;
      allowName(workerId, bounds.workerIdBytes, "worker_id", violations);
      const receivedPollIds = readPollIds(request.receivedPollIds, violations);
      const { operation, refused } = readAnswers(request, namespace, { violations, makeId });
      violations.throwIfAny();
      const result = await matching.answer(operation, { workerId, receivedPollIds });
      if ("refused" in result) throw refusedByStore(result.refused, `answers[${result.refused.index}]`);
      return { statuses: toAnswerStatuses(request.answers, refused, result.statuses) };
    },

    async renewLeases(request, context): Promise<RenewLeasesResponse> {
      const namespace = await namespaces.of(request);
      const reply = await matching.renew(readRenewal(request, surroundings(services, namespace, context)));
      return {
        $typeName: "tq.v1.RenewLeasesResponse",
        lostTokens: reply.lost.map((lease) => encodeTaskToken(lease)),
        cancelRequests: reply.cancels.map(({ lease, reason, requestedAt }): CancelRequest => ({
          $typeName: "tq.v1.CancelRequest",
          token: encodeTaskToken(lease),
          reason,
          requestedAt: toTimestamp(requestedAt),
        })),
        drainRequested: reply.drainRequested,
        registrationsWanted: reply.registrationsWanted,
        noticesSeen: reply.noticesSeen,
      };
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
