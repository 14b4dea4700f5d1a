import { requestRetentionMs } from "@tq/matching-core";
import type { Operation, Refusal, RequestKey, ResultOf } from "@tq/storage";
import type { Transaction } from "../transaction.ts";

/**
 * Carries out an operation once for each request id: a repeated one gets the first one's answer, from the transaction of
 * its effect. Answers that refused are not kept: they had no effect, and a second try may go through.
 *
 * @param content what a repeated call has in common with the first, for telling that an id was used for another call
 */
export function once<O extends Operation>(
  tx: Transaction,
  verb: O["verb"],
  request: RequestKey | undefined,
  content: () => Iterable<string | number>,
  run: () => ResultOf<O>,
  refuse: (refused: Refusal) => ResultOf<O>,
): ResultOf<O> {
  if (request === undefined) return run();
  const namespaceId = tx.parts.namespaces.idOf(request.namespace);
  if (namespaceId === undefined) return refuse({ reason: "namespace-not-found", index: 0, subject: request.namespace });
  const kept = tx.parts.kept.request(namespaceId, request.id, tx.now);
  const call = `${verb}/${fingerprint(content())}`;
  if (kept !== undefined) {
    if (kept.verb !== call) return refuse({ reason: "request-id-reused", index: 0, subject: request.id });
    return JSON.parse(kept.answer) as ResultOf<O>;
  }
  const result = run();
  if (!("refused" in result)) {
    tx.parts.kept.keepRequest(namespaceId, request.id, call, tx.now + requestRetentionMs, JSON.stringify(result));
  }
  return result;
}

/** FNV-1a over the parts: enough to notice a mistake; nobody gains by deceiving it. */
function fingerprint(parts: Iterable<string | number>): string {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    const text = `${part}/`;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(36);
}
