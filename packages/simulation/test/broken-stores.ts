/*
 * Stores with one defect each, as a mistake in the code would make them: put between the server and the real store, so
 * that the product has no switch for any of them.
 */
import type { LeaseRef } from "@tq/matching-core";
import type { Commit, Committed, NewTask, OnCloseRecord, Operation, Store } from "@tq/storage";
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
