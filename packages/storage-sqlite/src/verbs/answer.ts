import type { Answer, AnswerOperation, AnswerOperationResult, AnswerStatus, CommandRecord } from "@tq/storage";
import { serverFailure } from "@tq/matching-core";
import { closeStarted, failAttempt, returnTask, rowOf, serverMade } from "../life.ts";
import type { Started } from "../started-task.ts";
import type { Transaction } from "../transaction.ts";
import { given } from "../waiting.ts";
import { checkCommands, runCommands } from "./commands.ts";
import { type AnswerCodec, once } from "./requests.ts";

/** What becomes of nearly all answers. */
const accepted: AnswerStatus = { status: "accepted" };

/** Answers attempts. */
export function answer(tx: Transaction, operation: AnswerOperation): AnswerOperationResult {
  return once<AnswerOperation>(
    tx,
    "answer",
    operation.request,
    () => {
      const content: (string | number)[] = [];
      for (const { lease, kind } of operation.answers) content.push(lease.seq, lease.leaseNo, kind);
      return content;
    },
    () => ({ verb: "answer", statuses: operation.answers.map((one) => answerOne(tx, operation.namespace, one)) }),
    (refused) => ({ verb: "answer", refused }),
    keptStatuses(operation),
  );
}

/** Statuses are kept as those that are not plain acceptance, with their places. */
function keptStatuses({ answers }: AnswerOperation): AnswerCodec<AnswerOperationResult> {
  return {
    write: (result) => {
      if ("refused" in result) return "";
      const unusual: [number, AnswerStatus][] = [];
      result.statuses.forEach((status, index) => {
        if (status.status !== "accepted") unusual.push([index, status]);
      });
      return JSON.stringify(unusual);
    },
    read: (text) => {
      const statuses: AnswerStatus[] = answers.map(() => accepted);
      for (const [index, status] of JSON.parse(text) as [number, AnswerStatus][]) statuses[index] = status;
      return { verb: "answer", statuses };
    },
  };
}

function answerOne(tx: Transaction, namespace: string, one: Answer): AnswerStatus {
  const { parts } = tx;
  const task = parts.started.current(one.lease);
  if (task === undefined || task.namespaceId !== parts.namespaces.idOf(namespace)) {
    const answered = parts.tasks.find(one.lease.seq)?.answered === one.lease.leaseNo;
    return { status: answered ? "already-answered" : "lease-lost" };
  }
  switch (one.kind) {
    case "completed":
      return complete(tx, namespace, task, one.result, one.commands);
    case "failed":
      failAttempt(tx, task, one.failure, "worker");
      break;
    case "canceled":
      cancelAttempt(tx, task, one.failure);
      break;
    case "released":
      release(tx, task, one);
      break;
  }
  return accepted;
}

/**
 * Gives a task back. To its fallback queue, if that is asked for; where it has none it would come straight back to a worker that
 * cannot run it, so that attempt has failed, and the retry policy says what follows.
 */
function release(tx: Transaction, task: Started, { toFallback, reason }: Answer & { readonly kind: "released" }): void {
  if (!toFallback) {
    returnTask(tx, task, "released");
  } else if (task.cancel !== undefined || hasFallback(tx, task)) {
    returnTask(tx, task, "released-to-fallback");
  } else {
    const message = `Its worker released it to its fallback queue, and it has none${reason === "" ? "" : `: ${reason}`}`;
    failAttempt(tx, task, serverMade(serverFailure.noFallback, message), "worker");
  }
}

function hasFallback(tx: Transaction, task: Started): boolean {
  return given(rowOf(tx, task), tx.parts.queues.byId(task.queueId))?.fallback !== undefined;
}

/** Gives way to a cancel request; without one having been made, it is a failure like any other. */
function cancelAttempt(tx: Transaction, task: Started, failure: Parameters<typeof failAttempt>[2]): void {
  if (task.cancel === undefined) {
    failAttempt(tx, task, failure, "worker");
    return;
  }
  const row = rowOf(tx, task);
  closeStarted(
    tx,
    task,
    "canceled",
    { failure },
    { attempts: row.attempts + 1, answered: task.leaseNo, history: row.history },
  );
}

/** Completes a task and carries out its commands: all of it, or none. */
function complete(
  tx: Transaction,
  namespace: string,
  task: Started,
  result: Uint8Array | undefined,
  commands: readonly CommandRecord[],
): AnswerStatus {
  const row = rowOf(tx, task);
  if (commands.length > 0 && tx.parts.queues.byId(task.queueId).queue.kind !== "workflow") {
    return {
      status: "refused",
      commandIndex: 0,
      refused: { reason: "not-a-workflow-task", index: 0, subject: row.id },
    };
  }
  if (commands.length > 0) {
    const refused = checkCommands(tx, namespace, commands);
    if (refused !== undefined) return { status: "refused", ...refused };
    runCommands(tx, namespace, commands);
  }
  const use = { attempts: row.attempts + 1, answered: task.leaseNo, history: row.history };
  closeStarted(tx, task, "completed", result === undefined ? {} : { result }, use);
  return accepted;
}
