import type { Operation, OperationResult } from "@tq/storage";
import type { Transaction } from "../transaction.ts";
import { add } from "./add.ts";
import { answer } from "./answer.ts";
import { cancel } from "./cancel.ts";
import { changeTasks } from "./change-tasks.ts";
import { deleteQueue } from "./delete-queue.ts";
import { drainWorker } from "./drain-worker.ts";
import { fallBackAll } from "./fall-back.ts";
import { confirm, giveBack, renew, repoll } from "./leases.ts";
import { createNamespace } from "./namespaces.ts";
import { configure, drain, pause, resume } from "./settings.ts";
import { expire, promote, sweep } from "./timed.ts";

/** Carries out one operation. */
export function carryOut(tx: Transaction, operation: Operation): OperationResult {
  switch (operation.verb) {
    case "add":
      return add(tx, operation);
    case "answer":
      return answer(tx, operation);
    case "renew":
      return renew(tx, operation);
    case "return":
      return giveBack(tx, operation);
    case "confirm":
      return confirm(tx, operation);
    case "repoll":
      return repoll(tx, operation);
    case "cancel":
      return cancel(tx, operation);
    case "promote":
      return promote(tx, operation);
    case "expire":
      return expire(tx, operation);
    case "sweep":
      return sweep(tx, operation);
    case "note": {
      const { events, namespaces } = tx.parts;
      events.add(namespaces.idOf(operation.namespace) ?? 0, tx.now, operation.action, {});
      return { verb: "note" };
    }
    case "create-namespace":
      return createNamespace(tx, operation);
    case "configure":
      return configure(tx, operation);
    case "pause":
      return pause(tx, operation);
    case "resume":
      return resume(tx, operation);
    case "drain":
      return drain(tx, operation);
    case "fall-back":
      return fallBackAll(tx, operation);
    case "delete-queue":
      return deleteQueue(tx, operation);
    case "change-tasks":
      return changeTasks(tx, operation);
    case "drain-worker":
      return drainWorker(tx, operation);
  }
}
