import { Code } from "@connectrpc/connect";
import type { ErrorReason } from "@tq/proto";

/** Why a call was refused: a name of the proto's ErrorReason, without its prefix. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** What a reason looks like from outside. */
export interface ErrorEntry {
  readonly code: Code;
  /** What happened, to what, and what to do next. `{subject}` stands for the name or id that it happened to. */
  readonly message: string;
  /** When to try again, unless the refusal says otherwise. Only where trying again unchanged can help. */
  readonly retryAfterMs?: number;
}

/** Every reason there is, with its one Connect code. The comments of proto/tq/v1/error.proto say the same; a spec compares. */
export const errorTable: Readonly<Record<Reason, ErrorEntry>> = {
  INVALID_FIELD: { code: Code.InvalidArgument, message: "the request is invalid" },
  INVALID_NAME: { code: Code.InvalidArgument, message: "the request has an invalid name" },
  PAYLOAD_TOO_LARGE: {
    code: Code.InvalidArgument,
    message: "a payload is too large; keep large values elsewhere and send a reference to them",
  },
  TOO_MANY_ITEMS: {
    code: Code.InvalidArgument,
    message: "the request has too many items; split it over several calls",
  },
  MALFORMED_TOKEN: {
    code: Code.InvalidArgument,
    message: "the token was not made by this service; send back the bytes that PollTasks gave, unchanged",
  },
  DUPLICATE_ID_IN_BATCH: {
    code: Code.InvalidArgument,
    message: "the id {subject} stands twice in this batch; give each task its own id",
  },
  REQUEST_ID_REUSED: {
    code: Code.InvalidArgument,
    message:
      "the request id {subject} was used for another call in the last 10 minutes; make a new one for each call, and repeat it only with the same call",
  },

  NAMESPACE_NOT_FOUND: {
    code: Code.NotFound,
    message:
      "there is no namespace {subject}; create it with CreateNamespace, or leave the field empty for the default one",
  },
  TASK_NOT_FOUND: { code: Code.NotFound, message: "there is no task {subject}, or it has been removed" },
  WORKER_NOT_FOUND: {
    code: Code.NotFound,
    message: "there is no worker {subject}, or it has not called for 15 s and holds nothing",
  },

  TASK_ID_TAKEN: {
    code: Code.AlreadyExists,
    message:
      "the id {subject} belongs to a closed task that is kept, and the id policy does not allow its reuse; take another id, or another id_policy",
  },
  NAMESPACE_EXISTS: { code: Code.AlreadyExists, message: "the namespace {subject} exists" },

  LEASE_LOST: {
    code: Code.FailedPrecondition,
    message: "the token is no longer current: the task was given back, or to another worker; stop working on it",
  },
  TASK_QUEUE_DRAINING: {
    code: Code.FailedPrecondition,
    message: "an operator drains the task queue {subject}: it takes no adds until ResumeTaskQueue",
  },
  COMMAND_REFUSED: {
    code: Code.FailedPrecondition,
    message: "a command was refused; nothing was carried out, and the lease stays",
  },
  TASK_QUEUE_NOT_EMPTY: {
    code: Code.FailedPrecondition,
    message: "the task queue {subject} still has tasks or live workers",
  },

  REVISION_MISMATCH: {
    code: Code.Aborted,
    message: "somebody else has changed the configuration first; read it again",
  },
  POLL_SUPERSEDED: {
    code: Code.Aborted,
    message: "another call with the poll id {subject} has taken this poll's place; make a new poll id for each poll",
  },

  MAX_BACKLOG: {
    code: Code.ResourceExhausted,
    message: "the maximum backlog of the task queue {subject} is reached; try again later",
    retryAfterMs: 1_000,
  },
  TOO_MANY_TYPES: {
    code: Code.ResourceExhausted,
    message:
      "the task queue has tasks of 1,000 types waiting, so the type {subject} is refused; put what varies into the input, not into the type",
  },
  REQUEST_TOO_LARGE: {
    code: Code.ResourceExhausted,
    message: "the request is larger than the server takes in; split it over several calls",
  },

  SHUTTING_DOWN: {
    code: Code.Unavailable,
    message: "the server is shutting down; try another connection",
    retryAfterMs: 1_000,
  },
  STORE_UNAVAILABLE: {
    code: Code.Unavailable,
    message: "the store refuses writes, and nothing was done; the server's log says why",
    retryAfterMs: 1_000,
  },
  SHARD_LOST: {
    code: Code.Unavailable,
    message: "this server no longer owns the shard; try another connection",
    retryAfterMs: 1_000,
  },

  INTERNAL: {
    code: Code.Internal,
    message: "a defect of the server; its log has the cause under incident {subject}",
  },
};
