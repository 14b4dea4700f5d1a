import type { Client, TqError } from "@tq/client";
import { create } from "@bufbuild/protobuf";
import { AnswerResult, type AnswerStatus, AnswerStatusSchema } from "@tq/proto";
import { callApart } from "./call-apart.ts";
import type { Confirmations } from "./confirmations.ts";
import type { OutgoingAnswer, Outbox } from "./outbox.ts";
import { isLasting, isTooLarge, type ServerLink } from "./server-link.ts";

/** What the batcher needs. */
export interface AnswerBatcherOptions {
  readonly client: Client;
  readonly workerId: string;
  readonly outbox: Outbox;
  readonly confirmations: Confirmations;
  readonly link: ServerLink;
}

/**
 * Sends answers: one call at a time, with all that has gathered since the last one, again and again until the server has
 * taken it. Only the server can say that a lease is over (after a restart it gives every lease its full length), so an
 * answer is never given up while the worker lives.
 */
export class AnswerBatcher {
  readonly #options: AnswerBatcherOptions;
  readonly #ending = new AbortController();
  #isSending = false;

  constructor(options: AnswerBatcherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.outbox.addCarrier(() => this.#send());
  }

  /** Breaks off what is under way. */
  stop(): void {
    this.#ending.abort();
  }

  #send(): void {
    const { outbox } = this.#options;
    if (this.#isSending || outbox.waiting === 0 || this.#ending.signal.aborted) return;
    this.#isSending = true;
    const taken = outbox.take();
    void this.#deliver(taken).then((statuses) => {
      this.#isSending = false;
      if (statuses === undefined) outbox.putBack(taken);
      else outbox.settle(taken, statuses);
      this.#send();
    });
  }

  /** The statuses of these answers; undefined if it was stopped meanwhile. Never rejects. */
  async #deliver(taken: readonly OutgoingAnswer[]): Promise<readonly AnswerStatus[] | undefined> {
    const statuses: AnswerStatus[] = [];
    await callApart({
      items: taken,
      call: async (items) => void statuses.push(...(await this.#respond(items))),
      refused: (_, error) => void statuses.push(refusal(error)),
      signal: this.#ending.signal,
    });
    return statuses.length === taken.length ? statuses : undefined;
  }

  async #respond(taken: readonly OutgoingAnswer[]): Promise<readonly AnswerStatus[]> {
    const { client, workerId, confirmations, link } = this.#options;
    const { config, services } = client;
    // One request for all tries: the same request id is what keeps an answer from counting twice.
    const receivedPollIds = confirmations.ids();
    const request = {
      namespace: config.namespace,
      workerId,
      requestId: config.newId(),
      answers: taken.map(({ answer }) => answer),
      receivedPollIds,
    };
    const { statuses } = await link.insist("RespondTasks", {
      attempt: () => services.workers.respondTasks(request, { signal: this.#ending.signal }),
      // Too large a call is mended by taking it apart.
      givesUpOn: (error) => isLasting(error) || isTooLarge(error),
      signal: this.#ending.signal,
    });
    confirmations.confirmed(receivedPollIds);
    return taken.map((_, index) => statuses[index] ?? create(AnswerStatusSchema, { result: AnswerResult.ACCEPTED }));
  }
}

/** What a call's refusal means for the only answer in it. */
function refusal(error: TqError): AnswerStatus {
  const result = error.reason === "LEASE_LOST" ? AnswerResult.LEASE_LOST : AnswerResult.REFUSED;
  return create(AnswerStatusSchema, {
    result,
    error: { reason: error.reason ?? "", field: error.fields[0]?.field ?? "", message: error.message },
  });
}
