import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { sleep, toTqError } from "@tq/client";
import { isRetryable } from "@tq/client/internal";
import { type GetTasksResponse, type Task, WaitFor } from "@tq/proto";
import type { Session } from "./session.ts";

/** Tasks by their ids. */
export interface FoundTasks {
  /** Those that exist, in the order of the ids. */
  readonly tasks: readonly Task[];
  readonly missingIds: readonly string[];
}

/** How to look at tasks. */
export interface WaitOptions {
  /** How long to wait for all of them to close, in milliseconds; 0 or undefined answers at once, infinity waits on. */
  readonly waitMs?: number | undefined;
  /** Whether the server was reached just now: then a broken connection is made again, instead of being an error. */
  readonly isReached?: boolean;
}

/** So soon those that still wait are looked at, to say why they do. */
const firstLookMs = 2_000;
/** As long as the server holds a call. */
const longestWaitMs = 60_000;
/** How long a server that was there may be away: a restart. */
const giveUpAfterMs = 30_000;
const retryIntervalMs = 500;

/**
 * Tasks as they are, or once all of them have closed. While it waits it tells the user what they wait for, and sits out a
 * restart of the server.
 */
export async function waitForTasks(
  ids: readonly string[],
  session: Session,
  options: WaitOptions = {},
): Promise<FoundTasks> {
  const endsAtMs = session.now() + (options.waitMs ?? 0);
  const found = new Map<string, Task>();
  const missing = new Set<string>();
  const told = new Set<string>();
  let isReached = options.isReached ?? false;
  let asked = [...new Set(ids)];
  let nextWaitMs = firstLookMs;

  while (asked.length > 0) {
    const beganAtMs = session.now();
    const leftMs = Math.max(0, endsAtMs - beganAtMs);
    const waitMs = Math.min(leftMs, nextWaitMs);
    const response = await getTasks({ ids: asked, waitMs, isReached }, session);
    isReached = true;
    for (const task of response.tasks) found.set(task.id, task);
    for (const id of response.missingIds) missing.add(id);
    const open = response.tasks.filter((task) => task.outcome === undefined);
    if (leftMs === 0 && response.omittedIds.length === 0) break;
    if (response.omittedIds.length >= asked.length) throw new Error("the server answered none of the tasks");
    if (leftMs > 0) {
      tellWhy(open, told, session);
      // A server that is about to go may answer early.
      if (response.omittedIds.length === 0 && open.length > 0 && session.now() - beganAtMs < Math.min(waitMs, 100)) {
        await sleep(session.client.config.clock, retryIntervalMs, session.signal);
      }
    }
    asked = leftMs > 0 ? [...response.omittedIds, ...open.map(({ id }) => id)] : response.omittedIds;
    nextWaitMs = longestWaitMs;
  }
  return { tasks: ids.flatMap((id) => found.get(id) ?? []), missingIds: [...missing] };
}

interface Look {
  readonly ids: readonly string[];
  readonly waitMs: number;
  readonly isReached: boolean;
}

async function getTasks({ ids, waitMs, isReached }: Look, session: Session): Promise<GetTasksResponse> {
  const { client, globals, output, signal } = session;
  const request = {
    namespace: globals.namespace,
    ids: [...ids],
    wait: durationFromMs(Math.round(waitMs)),
    waitFor: WaitFor.ALL_CLOSED,
  };
  const giveUpAtMs = session.now() + giveUpAfterMs;
  for (let tries = 1; ; tries++) {
    try {
      return await client.services.tasks.getTasks(request, { timeoutMs: waitMs + globals.timeoutMs, signal });
    } catch (unknown) {
      const error = toTqError(unknown);
      if (!isReached || signal.aborted || !isRetryable(error) || session.now() >= giveUpAtMs) throw error;
      if (tries === 1) {
        output.message(
          `The server at ${globals.address} is away (${error.code}): asking again for ${giveUpAfterMs / 1_000} s.`,
        );
      }
      await sleep(client.config.clock, Math.max(retryIntervalMs, error.retryAfterMs ?? 0), signal);
    }
  }
}

/** Says why tasks wait, each reason once. */
function tellWhy(open: readonly Task[], told: Set<string>, { output }: Session): void {
  for (const { reasons } of open) {
    const hint = reasons[0]?.hint ?? "";
    if (hint === "" || told.has(hint)) continue;
    told.add(hint);
    output.message(hint);
  }
}
