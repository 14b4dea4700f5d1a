/*
 * A poll swallows nothing, and takes nothing back that arrived. What was on its way over a connection that broke before a
 * byte of it had gone out goes back with the next commit to begin, unless the poll was made again meanwhile; what a worker has got
 * never goes back as undelivered.
 */
import { leaseName, leaseOfToken, type CallOutcome, type History, type UndeliveredEntry } from "../history.ts";
import { LiveLeases } from "./live-leases.ts";

/** Finds deliveries that were swallowed, and ones that were taken back though they had arrived. */
export function undelivered(history: History): string[] {
  const wrong: string[] = [];
  const arrived = new Set<string>();
  const live = new LiveLeases();
  const polls = new Map<string, number>();
  /** What was noticed before the last commit, while it may have been under way, and what since. */
  let [earlier, noticed]: [UndeliveredEntry[], UndeliveredEntry[]] = [[], []];
  for (const entry of history) {
    if (entry.kind === "call" && entry.request.method === "poll") {
      const name = pollName(entry.request);
      polls.set(name, (polls.get(name) ?? 0) + 1);
    }
    if (entry.kind === "reply") for (const token of tokensOf(entry.outcome)) arrived.add(leaseOfToken(token));
    if (entry.kind === "undelivered") noticed.push(entry);
    const change = live.follow(entry);
    if (change === undefined) continue;
    const { commit, before, ended } = change;
    const gone = new Set(ended.map(({ task }) => leaseName(task.lease)));
    for (const operation of commit.operations) {
      if (operation.verb !== "return" || operation.why !== "undelivered") continue;
      for (const name of operation.leases.map(leaseName)) {
        if (arrived.has(name) && before.has(name) && gone.has(name)) {
          wrong.push(`${name} went back as undelivered at ${commit.now}, and had arrived`);
        }
      }
    }
    for (const { life, workerId, pollId, tokens } of earlier) {
      // One that was made again may have been answered with them: then they are its own.
      if (life !== commit.life || (pollId !== "" && (polls.get(pollName({ workerId, pollId })) ?? 0) > 1)) continue;
      for (const name of tokens.map(leaseOfToken)) {
        if (before.has(name) && !gone.has(name)) wrong.push(`${name} reached nobody, and is live at ${commit.now}`);
      }
    }
    [earlier, noticed] = [noticed, []];
  }
  return wrong;
}

function pollName({ workerId, pollId }: { readonly workerId: string; readonly pollId: string }): string {
  return `${workerId} ${pollId}`;
}

function tokensOf(outcome: CallOutcome): string[] {
  if (outcome.kind !== "ok" || outcome.reply.method !== "poll") return [];
  return outcome.reply.tasks.map(({ token }) => token);
}
