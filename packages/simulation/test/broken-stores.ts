/*
 * Stores with one defect each, as a mistake in the code would make them: put between the server and the real store, so
 * that the product has no switch for any of them.
 */
import type { LeaseRef } from "@tq/matching-core";
import type { ClaimOrder, Commit, Committed, NewTask, OnCloseRecord, Operation, Store } from "@tq/storage";
import Database from "better-sqlite3";
import { overrideStore } from "../src/store-overrides.ts";

/** Puts a defect around a store; `file` is its database. */
export type BreakStore = (store: Store, file: string) => Store;

/** Operations go to the store changed. */
function changing(store: Store, change: (operation: Operation) => Operation): Store {
  return overrideStore(store, {
    commit: async (commit) => store.commit({ ...commit, operations: commit.operations.map(change) }),
  });
}

/** Claims go to the store changed. */
function claiming(store: Store, change: (order: ClaimOrder) => ClaimOrder): Store {
  return overrideStore(store, {
    commit: async (commit) => store.commit({ ...commit, plan: (...asked) => change(commit.plan(...asked)) }),
  });
}

/** Takes an answer for any delivery of a task as one for its present delivery. */
export const withoutFencing: BreakStore = (store) => {
  const current = new Map<number, LeaseRef>();
  const commit = async (asked: Commit): Promise<Committed> => {
    const operations = asked.operations.map((operation) => {
      if (operation.verb !== "answer") return operation;
      const answers = operation.answers.map((answer) => ({
        ...answer,
        lease: current.get(answer.lease.seq) ?? answer.lease,
      }));
      return { ...operation, answers };
    });
    const committed = await store.commit({ ...asked, operations });
    for (const { lease } of committed.granted.flat()) current.set(lease.seq, lease);
    return committed;
  };
  return overrideStore(store, { commit });
};

/** Carries out a repeated call as if it were a new one. */
export const withoutRequestIds: BreakStore = (store) =>
  changing(store, (operation) => {
    if (!("request" in operation)) return operation;
    const { request: _, ...without } = operation;
    return without;
  });

/** After a start, counts leases from the last commit, as if the server had never been away. */
export const withoutRestartGrace: BreakStore = (store) =>
  overrideStore(store, {
    open: async (now) => {
      const opened = await store.open(0);
      return { ...opened, now: Math.max(now, opened.now) };
    },
  });

/** Adds outcomes not in the transaction that closes their task, but in the next one. */
export const withoutAtomicOnClose: BreakStore = (store) => {
  const onCloses = new Map<string, { readonly task: NewTask; readonly onClose: OnCloseRecord }>();
  const strip = (task: NewTask): NewTask => {
    const { onClose, ...without } = task;
    if (onClose === undefined) return task;
    onCloses.set(task.id, { task, onClose });
    return without;
  };
  const stripAll = (operation: Operation): Operation => {
    if (operation.verb === "add") return { ...operation, tasks: operation.tasks.map(strip) };
    if (operation.verb !== "answer") return operation;
    const answers = operation.answers.map((answer) => {
      if (answer.kind !== "completed") return answer;
      const commands = answer.commands.map((command) =>
        command.command === "add" ? { ...command, task: strip(command.task) } : command,
      );
      return { ...answer, commands };
    });
    return { ...operation, answers };
  };
  let toAdd: NewTask[] = [];
  const commit = async (asked: Commit): Promise<Committed> => {
    const late: Operation[] = toAdd.map((task) => ({ verb: "add", tasks: [task] }));
    toAdd = [];
    const operations = [...asked.operations.map(stripAll), ...late];
    const committed = await store.commit({ ...asked, operations });
    for (const { id, run } of committed.closed) {
      const closed = onCloses.get(id);
      if (closed !== undefined) toAdd.push(outcomeOf(closed.task, closed.onClose, `${id}/closed/${run}`));
    }
    return { ...committed, results: committed.results.slice(0, asked.operations.length) };
  };
  return overrideStore(store, { commit });
};

function outcomeOf(task: NewTask, { queueName, type }: OnCloseRecord, id: string): NewTask {
  return {
    id,
    queue: { ...task.queue, name: queueName, kind: "workflow" },
    type,
    input: task.input,
    priority: 3,
    fairnessKey: "",
    fairnessWeight: 1,
    startDelayMs: 0,
    timeouts: {},
    idPolicy: "allow",
  };
}

/** Forgets at each start what was dispatched before it, so that a full burst is allowed again. */
export const withoutStoredRates: BreakStore = (store, file) =>
  overrideStore(store, {
    open: async (now) => {
      await store.open(now);
      await store.close();
      const db = new Database(file);
      db.exec("update queue set arrival = 0; update key_limit set arrival = 0, wake_at = 0 where held_back = 'rate'");
      db.close();
      return store.open(now);
    },
  });

/** Lets an owner that was replaced go on, as if the store did not know whose it is. */
export const withoutEpochs: BreakStore = (store, file) =>
  overrideStore(store, {
    commit: async (commit) => {
      const db = new Database(file, { readonly: true });
      const epoch = db.prepare<[], number>("select epoch from shard").pluck().get() ?? 0;
      db.close();
      return store.commit({ ...commit, lease: { ...commit.lease, epoch } });
    },
  });

/** Gives nothing back of which no byte went out. */
export const withoutReturns: BreakStore = (store) =>
  changing(store, (operation) =>
    operation.verb === "return" && operation.why === "undelivered" ? { ...operation, leases: [] } : operation,
  );

/** Makes each undelivered return again with the next commit, for whatever delivery of its task is current by then. */
export const withoutFencedReturns: BreakStore = (store) => {
  const current = new Map<number, LeaseRef>();
  let returned: readonly LeaseRef[] = [];
  const commit = async (asked: Commit): Promise<Committed> => {
    const leases = returned.flatMap(({ seq }) => current.get(seq) ?? []);
    const again: Operation[] = leases.length === 0 ? [] : [{ verb: "return", leases, why: "undelivered" }];
    const committed = await store.commit({ ...asked, operations: [...asked.operations, ...again] });
    returned = asked.operations.flatMap((operation) =>
      operation.verb === "return" && operation.why === "undelivered" ? operation.leases : [],
    );
    for (const { lease } of committed.granted.flat()) current.set(lease.seq, lease);
    return { ...committed, results: committed.results.slice(0, asked.operations.length) };
  };
  return overrideStore(store, { commit });
};

/** Forgets at each start what its workers have not confirmed. */
export const withoutStoredConfirmations: BreakStore = (store) =>
  overrideStore(store, { open: async (now) => ({ ...(await store.open(now)), unconfirmed: [] }) });

/** Finds at each start what its workers have confirmed unconfirmed again. */
export const withoutConfirming: BreakStore = (store) =>
  changing(store, (operation) => (operation.verb === "confirm" ? { ...operation, deliveries: [] } : operation));

/** Takes a delivery that comes back unconfirmed for an attempt that failed. */
export const withoutFreeReturns: BreakStore = (store) =>
  overrideStore(store, {
    commit: async (asked) => {
      const operations = asked.operations.map((operation): Operation => {
        if (operation.verb !== "return" || operation.why !== "unconfirmed") return operation;
        const failure = { type: "Undelivered", message: "", nonRetryable: false, encoded: new Uint8Array() };
        const answers = operation.leases.map((lease) => ({ lease, kind: "failed", failure }) as const);
        return { verb: "answer", namespace: "default", answers };
      });
      const committed = await store.commit({ ...asked, operations });
      const results = committed.results.map((result, i) => {
        const { verb } = asked.operations[i] ?? result;
        return verb === "return" && result.verb === "answer" ? ({ verb, returned: 1 } as const) : result;
      });
      return { ...committed, results };
    },
  });

/** Fills answers without looking at how large they get. */
export const withoutReplySizes: BreakStore = (store) =>
  claiming(store, ({ offers, claims }) => ({
    offers: offers.map((offer) => ({ ...offer, maxBytes: Infinity })),
    claims,
  }));

/** Fills answers without looking at how many slots are free. */
export const withoutSlots: BreakStore = (store) =>
  claiming(store, ({ offers, claims }) => ({
    offers: offers.map((offer) => ({ ...offer, slots: offer.slots + 5 })),
    claims,
  }));

/** Gives a worker of an older version what only the newer one can run. */
export const withoutTypes: BreakStore = (store) =>
  claiming(store, ({ offers, claims }) => ({ offers, claims: claims.map((claim) => ({ ...claim, types: null })) }));

/** Takes a queue for the one of the same name in another namespace. */
export const withoutNamespaces: BreakStore = (store) =>
  claiming(store, ({ offers, claims }) => ({
    offers,
    claims: claims.map((claim) => ({ ...claim, queue: { ...claim.queue, namespace: "default" } })),
  }));

/** Overwrites what somebody else has configured meanwhile. */
export const withoutRevisions: BreakStore = (store) =>
  changing(store, (operation) => {
    if (operation.verb !== "configure") return operation;
    const { expectedRevision: _, ...without } = operation;
    return without;
  });

/** Begins a bulk call from the first that is made again. */
export const withoutBulkCursors: BreakStore = (store) =>
  changing(store, (operation) => {
    if (operation.verb !== "change-tasks") return operation;
    const { request: _, ...without } = operation;
    return without;
  });

/** Uses the id of a closed task anew, whatever the policy says. */
export const withoutIdPolicies: BreakStore = (store) =>
  changing(store, (operation) =>
    operation.verb === "add"
      ? { ...operation, tasks: operation.tasks.map((task) => ({ ...task, idPolicy: "allow" as const })) }
      : operation,
  );
