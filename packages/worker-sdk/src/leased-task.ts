import type { Client } from "@tq/client";
import { kindName } from "@tq/client/internal";
import { AnswerResult, type AnswerStatus, type TaskAnswer } from "@tq/proto";
import { canceledAnswer, completedAnswer, releasedAnswer, thrownAnswer } from "./answers.ts";
import type { TaskInfo } from "./context.ts";
import type { HeldTask } from "./held-task.ts";

/**
 * How the server took an answer:
 *
 * - `ACCEPTED`: done, and on disk.
 * - `ALREADY_ANSWERED`: it had this answer already, by an earlier try of the same call. As good as accepted.
 * - `LEASE_LOST`: the task is another worker's now, or closed, or the poller gave it back as it stopped. Nothing was done.
 * - `REFUSED`: `error` says what is wrong with it. Nothing was done, and the task waits for another answer.
 * - `UNKNOWN`: the poller stopped before the server said anything.
 */
export type AnswerOutcomeStatus = "ACCEPTED" | "ALREADY_ANSWERED" | "LEASE_LOST" | "REFUSED" | "UNKNOWN";

/** What became of the answer to one task. */
export interface AnswerOutcome {
  readonly task: LeasedTask;
  readonly status: AnswerOutcomeStatus;
  /** Set where the status is `REFUSED`. */
  readonly error?: { readonly reason: string; readonly field: string; readonly message: string };
}

/** What a leased task needs of its poller. */
export interface LeasedTaskParts {
  readonly held: HeldTask;
  readonly info: TaskInfo;
  readonly args: readonly unknown[];
  readonly client: Client;
  /** Sends the answer; or, where the lease is gone, only hears of it. */
  readonly answer: (answer: TaskAnswer) => void;
  readonly heartbeat: (held: HeldTask, details: unknown) => void;
  /** Whether the poller gave it back, without the caller. */
  readonly wasGivenBack: () => boolean;
}

/**
 * One task of a batch. Its lease is kept until it is answered, which is done once, in whatever order. What is answered after
 * its lease was lost, or after the poller gave it back at the end of a shutdown, is dropped, with the status `LEASE_LOST`.
 */
export class LeasedTask {
  /** What is known of the attempt. */
  readonly info: TaskInfo;
  /** The arguments that the task was added with. */
  readonly args: readonly unknown[];
  /**
   * Aborted when work on the task should stop; its `reason` is a `CancelledFailure` that says why: a cancel request, its
   * lease was lost, or the poller is shutting down.
   */
  readonly cancellationSignal: AbortSignal;
  readonly #parts: LeasedTaskParts;

  /** Made by the poller. */
  constructor(parts: LeasedTaskParts) {
    this.#parts = parts;
    this.info = parts.info;
    this.args = parts.args;
    this.cancellationSignal = parts.held.signal;
  }

  /**
   * It is done. `returned` is what a handler would return: the result of an activity; of a workflow task, `{ commands,
   * result }` or nothing. What cannot be serialised makes it a failure that says so.
   *
   * @throws Error if the caller has answered it before
   */
  complete(returned?: unknown): void {
    const { held, client } = this.#parts;
    const kind = kindName(held.task.taskQueue?.kind);
    this.#answer(completedAnswer(held, returned, kind, client.config.payloadConverter));
  }

  /**
   * The attempt failed. `thrown` is what a handler would throw; with the reason of the signal, or an error caused by it,
   * the task is canceled, or given back, as that says.
   *
   * @throws Error if the caller has answered it before
   */
  fail(thrown: unknown): void {
    const { held, client } = this.#parts;
    this.#answer(thrownAnswer(held, thrown, client.config.payloadConverter));
  }

  /**
   * Gives way to a cancel request.
   *
   * @throws Error if the caller has answered it before
   */
  cancel(): void {
    this.#answer(canceledAnswer(this.#parts.held.task.token));
  }

  /**
   * Gives the task back: no attempt is used, and it gets its old place. `toFallback` moves it to its fallback queue; if it
   * has none, the attempt has failed with the type `NoFallback`. `reason` is for operators.
   *
   * @throws Error if the caller has answered it before
   */
  release(reason = "", { toFallback = false }: { readonly toFallback?: boolean } = {}): void {
    this.#answer(releasedAnswer(this.#parts.held.task.token, reason, toFallback));
  }

  /**
   * Says that work on the task goes on, for tasks with a heartbeat timeout, and how far it got. That the worker lives is
   * told without it.
   *
   * @throws TqError `invalid_argument` if the details cannot be serialised, or are over 512 KiB
   */
  heartbeat(details?: unknown): void {
    this.#parts.heartbeat(this.#parts.held, details);
  }

  #answer(answer: TaskAnswer): void {
    const { held, wasGivenBack } = this.#parts;
    if ((held.state === "answering" || held.state === "answered") && !wasGivenBack()) {
      throw new Error(`Task ${held.task.id} was answered before: a task is answered once`);
    }
    this.#parts.answer(answer);
  }
}

/** What an answer's status says. */
export function outcomeOf(task: LeasedTask, { result, error }: AnswerStatus): AnswerOutcome {
  switch (result) {
    case AnswerResult.UNSPECIFIED:
    case AnswerResult.ACCEPTED:
      return { task, status: "ACCEPTED" };
    case AnswerResult.ALREADY_ANSWERED:
      return { task, status: "ALREADY_ANSWERED" };
    case AnswerResult.LEASE_LOST:
      return { task, status: "LEASE_LOST" };
    case AnswerResult.REFUSED: {
      const { reason = "", field = "", message = "no reason was given" } = error ?? {};
      return { task, status: "REFUSED", error: { reason, field, message } };
    }
  }
}
