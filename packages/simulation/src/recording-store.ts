/*
 * The store as a server sees it: everything that it commits is written into the history, and at the boundary of any commit
 * its process can be killed.
 */
import { taskQueueKey } from "@tq/matching-core";
import { StoreError, type ClaimOrder, type Commit, type Committed, type Store } from "@tq/storage";
import type { Entry, Grant } from "./history.ts";
import { overrideStore } from "./store-overrides.ts";

/** The namespace that everything in a run lives in. */
export const namespace = "default";

/**
 * What goes wrong with a commit: its process dies on one side of it (before it, all that was asked is lost; after it, all
 * that was answered), or the disk refuses it.
 */
export type CommitFault = "dies before" | "dies after" | "is refused";

/** What the disk says when it refuses. */
export const refusal = "the disk refuses, since the seed says so";

/** What a recording store needs to know of its process. */
export interface Process {
  readonly life: number;
  readonly record: (entry: Entry) => void;
  readonly isDead: () => boolean;
  /** What goes wrong with the commit that begins now; asked once for each. */
  readonly takeFault: () => CommitFault | undefined;
  readonly die: () => void;
}

/** What a dead process waits for. */
async function never<Answer>(): Promise<Answer> {
  return new Promise(() => undefined);
}

/** Every open task, read as the store tells it. */
async function openTasks(store: Store): ReturnType<Store["listTasks"]> {
  const everything = { size: 1_000_000, examine: 1_000_000, maxBytes: Infinity };
  return store.listTasks(namespace, { states: ["scheduled", "ready", "started"] }, everything);
}

/** Puts the recorder around a store. */
export function recordingStore(inner: Store, process: Process): Store {
  const { life, record } = process;

  async function open(now: number): ReturnType<Store["open"]> {
    const opened = await inner.open(now);
    record({ kind: "opened", life, epoch: opened.lease.epoch, now: Math.max(now, opened.now) });
    return opened;
  }

  async function commit(asked: Commit): Promise<Committed> {
    if (process.isDead()) return never();
    const fault = process.takeFault();
    if (fault === "dies before") {
      process.die();
      return never();
    }
    if (fault === "is refused") throw new StoreError("unavailable", refusal);
    let order: ClaimOrder = { offers: [], claims: [] };
    const plan: Commit["plan"] = (touched, results) => (order = asked.plan(touched, results));
    const { epoch } = asked.lease;
    let committed: Committed;
    try {
      committed = await inner.commit({ ...asked, plan });
    } catch (error) {
      record({ kind: "commit-refused", life, epoch, why: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    const { now, results, closed } = committed;
    const { operations } = asked;
    const { items } = await openTasks(inner);
    record({
      kind: "commit",
      life,
      epoch,
      now,
      operations,
      results,
      grants: grantsOf(order, committed),
      closed,
      open: items,
    });
    if (fault === "dies after") {
      process.die();
      return never();
    }
    return committed;
  }

  return overrideStore(inner, { open, commit });
}

function grantsOf({ offers, claims }: ClaimOrder, committed: Committed): Grant[] {
  return offers.flatMap(({ workerId, pollId }, i) =>
    (committed.granted[i] ?? []).map((task): Grant => {
      const key = taskQueueKey(task.queue);
      const claim = claims.find(({ queue, offers: among }) => taskQueueKey(queue) === key && among.includes(i));
      if (claim === undefined) throw new Error(`${task.id} was granted to a poll that had not asked for it`);
      return { task, workerId, pollId, types: claim.types, askedRate: claim.askedRate };
    }),
  );
}
