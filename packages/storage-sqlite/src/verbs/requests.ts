import { requestRetentionMs } from "@tq/matching-core";
import type { Operation, Refusal, RequestKey, ResultOf } from "@tq/storage";
import type { Transaction } from "../transaction.ts";

/**
 * Carries out an operation once for each request id: a repeated one gets the first one's answer, from the transaction of
 * its effect. Answers that refused are not kept: they had no effect, and a second try may go through.
 */
export function once<O extends Operation>(
  tx: Transaction,
  verb: O["verb"],
  request: RequestKey | undefined,
  run: () => ResultOf<O>,
  refuse: (refused: Refusal) => ResultOf<O>,
): ResultOf<O> {
  if (request === undefined) return run();
  const namespaceId = tx.parts.namespaces.idOf(request.namespace);
  if (namespaceId === undefined) return refuse({ reason: "namespace-not-found", index: 0, subject: request.namespace });
  const kept = tx.parts.kept.request(namespaceId, request.id, tx.now);
  if (kept !== undefined) {
    if (kept.verb !== verb) return refuse({ reason: "request-id-reused", index: 0, subject: request.id });
    return JSON.parse(kept.answer) as ResultOf<O>;
  }
  const result = run();
  if (!("refused" in result)) {
    tx.parts.kept.keepRequest(namespaceId, request.id, verb, tx.now + requestRetentionMs, JSON.stringify(result));
  }
  return result;
}
