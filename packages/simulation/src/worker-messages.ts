/* What workers send and get, between messages and the history. */
import { toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AnswerResult,
  DispatchedTaskSchema,
  TaskQueueKind,
  type PollTasksResponse,
  type RespondTasksResponse,
  type TaskAnswerSchema,
  type WorkerRefSchema,
} from "@tq/proto";
import type { AskedAnswer, Reply } from "./history.ts";
import type { Build, QueueRef } from "./scenery.ts";

/** What a worker can answer an attempt with. */
export type AnswerMessage = MessageInitShape<typeof TaskAnswerSchema> & { readonly token: Uint8Array };

/** A worker, as far as it says who it is. */
export interface Registered {
  readonly id: string;
  readonly build: Build;
  readonly sendRegistrations: boolean;
}

/** Who calls: its registrations in full where the server wants them, else their hash. */
export function refOf({ id, build, sendRegistrations }: Registered): MessageInitShape<typeof WorkerRefSchema> {
  const { activityTypes, workflowTypes } = build;
  if (activityTypes === undefined) return { workerId: id, buildId: build.id };
  return {
    workerId: id,
    buildId: build.id,
    registrationsHash: `hash of ${build.id}`,
    ...(sendRegistrations && {
      registrations: { activityTypes: [...activityTypes], workflowTypes: [...workflowTypes] },
    }),
  };
}

/** What a build has registered; undefined: everything. */
export function typesOf({ activityTypes, workflowTypes }: Build): readonly string[] | undefined {
  return activityTypes === undefined ? undefined : [...activityTypes, ...workflowTypes];
}

/** Names a task queue, as the history does. */
export function nameOf({ name, kind }: QueueRef): string {
  return `${name}/${kind === TaskQueueKind.WORKFLOW ? "workflow" : "activity"}`;
}

/** A token as text. */
export function tokenName(token: Uint8Array): string {
  return Buffer.from(token).toString("hex");
}

/** Answers, as the history has them. */
export function asked(answers: readonly AnswerMessage[]): AskedAnswer[] {
  return answers.map(({ token, answer }) => ({ token: tokenName(token), answer: answer?.case ?? "nothing" }));
}

/** What became of answers, as the history has it. */
export function statusesOf(statuses: RespondTasksResponse["statuses"]): string[] {
  return statuses.map(({ result, error }) => `${AnswerResult[result]}${error === undefined ? "" : ` ${error.reason}`}`);
}

/** The answer to a poll, as the history has it. */
export function readPoll({ tasks, answerStatuses }: PollTasksResponse): Extract<Reply, { method: "poll" }> {
  return {
    method: "poll",
    tasks: tasks.map((task) => {
      const { token, id, run, taskQueue, type, attempt } = task;
      return {
        token: tokenName(token),
        id,
        run,
        queue: taskQueue === undefined ? "" : nameOf({ name: taskQueue.name, kind: taskQueue.kind }),
        type,
        attempt,
        bytes: toBinary(DispatchedTaskSchema, task).length,
      };
    }),
    statuses: statusesOf(answerStatuses),
  };
}
