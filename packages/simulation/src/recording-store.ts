/*
 * The store as a server sees it: everything that it commits is written into the history, and at the boundary of any commit
 * its process can be killed.
 */
import { taskQueueKey } from "@tq/matching-core";
import {
  StoreError,
  type ClaimOrder,
  type Commit,
  type Committed,
  type Operation,
  type Store,
  type TaskRecord,
} from "@tq/storage";
import type { Entry, Grant } from "./history.ts";
import { namespaces } from "./scenery.ts";
import { overrideStore } from "./store-overrides.ts";

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
async function openTasks(store: Store): Promise<readonly TaskRecord[]> {
  const everything = { size: 1_000_000, examine: 1_000_000, maxBytes: Infinity };
  const open: TaskRecord[] = [];
  for (const namespace of namespaces) {
    const { items } = await store.listTasks(namespace, { states: ["scheduled", "ready", "started"] }, everything);
    open.push(...items);
  }
  return open.sort((a, b) => a.seq - b.seq);
}

/** So few tasks does one chunk of a bulk call look at here, so that most calls have several. */
const examinedAtOnce = 7;

function inSmallChunks(operation: Operation): Operation {
  return operation.verb === "change-tasks" ? { ...operation, examine: examinedAtOnce } : operation;
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
    const operations = asked.operations.map(inSmallChunks);
    let committed: Committed;
    try {
      committed = await inner.commit({ ...asked, operations, plan });
    } catch (error) {
      record({ kind: "commit-refused", life, epoch, why: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    const { now, results, closed } = committed;
    const open = await openTasks(inner);
    record({
      kind: "commit",
      life,
      epoch,
      now,
      operations,
      results,
      grants: grantsOf(order, committed),
      closed,
      open,
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
  return offers.flatMap(({ workerId, pollId, maxBytes }, i) =>
    (committed.granted[i] ?? []).map((task): Grant => {
      const key = taskQueueKey(task.queue);
      const claim = claims.find(({ queue, offers: among }) => taskQueueKey(queue) === key && among.includes(i));
      const { types = [], askedRate } = claim ?? {};
      return { task, workerId, pollId, offer: i, maxBytes, asked: claim !== undefined, types, askedRate };
    }),
  );
}
