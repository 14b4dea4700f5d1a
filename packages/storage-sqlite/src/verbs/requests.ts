import { requestRetentionMs } from "@tq/matching-core";
import type { Operation, Refusal, RequestKey, ResultOf } from "@tq/storage";
import type { Transaction } from "../transaction.ts";

/** How an answer is kept. */
export interface AnswerCodec<Answer> {
  readonly write: (answer: Answer) => string;
  readonly read: (text: string) => Answer;
}

/**
 * Carries out an operation once for each request id: a repeated one gets the first one's answer, from the transaction of
 * its effect. Answers that refused are not kept: they had no effect, and a second try may go through.
 *
 * @param codec how the answer is kept: as JSON, if nothing else is said
 * @param content what a repeated call has in common with the first, for telling that an id was used for another call
 */
export function once<O extends Operation>(
  tx: Transaction,
  verb: O["verb"],
  request: RequestKey | undefined,
  content: () => Iterable<string | number>,
  run: () => ResultOf<O>,
  refuse: (refused: Refusal) => ResultOf<O>,
  codec: AnswerCodec<ResultOf<O>> = { write: JSON.stringify, read: (text) => JSON.parse(text) as ResultOf<O> },
): ResultOf<O> {
  if (request === undefined) return run();
  const call = callOf(verb, content());
  const kept = keptAnswer(tx, request, call);
  if (kept !== undefined) return "refused" in kept ? refuse(kept.refused) : codec.read(kept.answer);
  const result = run();
  if (!("refused" in result)) keepAnswer(tx, request, call, codec.write(result));
  return result;
}

/** What a request id was used for. */
export function callOf(verb: Operation["verb"], content: Iterable<string | number>): string {
  return `${verb}/${fingerprint(content)}`;
}

/** The answer that this call got under this request id; undefined: it is the first. */
export function keptAnswer(
  tx: Transaction,
  request: RequestKey,
  call: string,
): { readonly answer: string } | { readonly refused: Refusal } | undefined {
  const namespaceId = tx.parts.namespaces.idOf(request.namespace);
  if (namespaceId === undefined) {
    return { refused: { reason: "namespace-not-found", index: 0, subject: request.namespace } };
  }
  const kept = tx.parts.kept.request(namespaceId, request.id, tx.now);
  if (kept === undefined || kept.verb === call) return kept;
  return { refused: { reason: "request-id-reused", index: 0, subject: request.id } };
}

/** Keeps the answer of a call that had an effect. */
export function keepAnswer(tx: Transaction, request: RequestKey, call: string, answer: string): void {
  const namespaceId = tx.parts.namespaces.idOf(request.namespace);
  if (namespaceId === undefined) throw new Error(`namespace ${request.namespace} was not checked`);
  tx.parts.kept.keepRequest(namespaceId, request.id, call, tx.now + requestRetentionMs, answer);
}

/** FNV-1a over the parts: enough to notice a mistake; nobody gains by deceiving it. */
function fingerprint(parts: Iterable<string | number>): string {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    if (typeof part === "number" && Number.isSafeInteger(part)) {
      // Most parts are the numbers of leases: no text is made of each.
      hash = Math.imul(hash ^ part, prime);
      hash = Math.imul(hash ^ Math.floor(part / 2 ** 32), prime);
      continue;
    }
    const text = typeof part === "string" ? part : String(part);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), prime);
    hash = Math.imul(hash ^ slash, prime);
  }
  return (hash >>> 0).toString(36);
}

const prime = 0x01000193;
/** Ends a text. */
const slash = 0x2f;
