import { invalidField } from "@tq/client/internal";
import { type AnswerOutcome, LeasedTask } from "./leased-task.ts";

/** One answer of {@link TaskBatch.respond}: what {@link LeasedTask}'s methods of the same names take. */
export type BatchAnswer =
  | { readonly task: LeasedTask; readonly complete: unknown }
  | { readonly task: LeasedTask; readonly fail: unknown }
  | { readonly task: LeasedTask; readonly release: string };

/** Tasks that arrived since the last batch, at least one. They may be answered in any order, also after later batches. */
export class TaskBatch implements Iterable<LeasedTask> {
  readonly tasks: readonly LeasedTask[];
  /** How each answer went that was given, and had been taken by the last time it was looked. */
  readonly #outcomes = new Map<LeasedTask, AnswerOutcome>();
  readonly #underWay = new Set<LeasedTask>();
  readonly #onFlushed: (() => void)[] = [];

  /** Made by the poller. */
  constructor(tasks: readonly LeasedTask[]) {
    this.tasks = tasks;
  }

  [Symbol.iterator](): Iterator<LeasedTask> {
    return this.tasks[Symbol.iterator]();
  }

  /**
   * Resolves once all answers that were given to tasks of this batch are with the server, however long that takes, and says
   * what became of each since the last time. An answer goes out by itself; this only waits for it.
   */
  async flush(): Promise<AnswerOutcome[]> {
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#onFlushed.push(resolve));
    const outcomes = [...this.#outcomes.values()];
    this.#outcomes.clear();
    return outcomes;
  }

  /**
   * Answers tasks together, and waits as {@link flush} does.
   *
   * @throws Error if one was answered before; those that stand before it are answered then. TqError `invalid_argument` naming an
   *   answer that is none, before any task is answered.
   */
  async respond(answers: Iterable<BatchAnswer>): Promise<AnswerOutcome[]> {
    const all = [...answers];
    for (const [index, answer] of all.entries()) checkAnswer(answer, index);
    for (const answer of all) {
      if ("complete" in answer) answer.task.complete(answer.complete);
      else if ("fail" in answer) answer.task.fail(answer.fail);
      else answer.task.release(answer.release);
    }
    return this.flush();
  }

  /** An answer is on its way. Told by the poller. */
  answering(task: LeasedTask): void {
    this.#outcomes.delete(task);
    this.#underWay.add(task);
  }

  /** What became of an answer. Told by the poller. */
  answered(outcome: AnswerOutcome): void {
    this.#outcomes.set(outcome.task, outcome);
    this.#underWay.delete(outcome.task);
    if (this.#underWay.size === 0) for (const listener of this.#onFlushed.splice(0)) listener();
  }
}

/** The compiler does so for TypeScript. Else a misspelled answer would be taken for another one. */
function checkAnswer(answer: unknown, index: number): void {
  const field = `answers[${index}]`;
  if (typeof answer !== "object" || answer === null) throw invalidField(field, "is no object");
  const ways = ["complete", "fail", "release"].filter((way) => way in answer);
  if (ways.length !== 1) throw invalidField(field, "needs one of `complete`, `fail` and `release`");
  if (!("task" in answer && answer.task instanceof LeasedTask))
    throw invalidField(`${field}.task`, "is no task of a task poller");
}
