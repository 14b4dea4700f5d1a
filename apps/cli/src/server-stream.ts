import { TqError } from "@tq/client";
import type { Session } from "./session.ts";

/** What a call that answers bit by bit is made with. */
export interface StreamOptions {
  readonly signal: AbortSignal;
}

/**
 * The answers of a call that streams them, for however long it takes as a whole; but no longer than `--timeout` may pass
 * without one, so that a server which has gone silent is noticed.
 */
export async function* answersInTime<Answer>(
  open: (options: StreamOptions) => AsyncIterable<Answer>,
  { globals, signal }: Pick<Session, "globals" | "signal">,
): AsyncGenerator<Answer, void, undefined> {
  const { address, timeoutMs } = globals;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), timeoutMs);
  try {
    for await (const answer of open({ signal: AbortSignal.any([signal, silence.signal]) })) {
      timer.refresh();
      yield answer;
    }
  } catch (cause) {
    if (!silence.signal.aborted) throw cause;
    const message =
      `The server at ${address} has not said for ${timeoutMs / 1_000} s how far it is. What it did is done; ` +
      "run the command again for the rest, or allow more time with --timeout.";
    throw new TqError({ code: "deadline_exceeded", message, cause });
  } finally {
    clearTimeout(timer);
  }
}
