import type { CreateNamespaceOperation, CreateNamespaceResult } from "@tq/storage";
import type { Transaction } from "../transaction.ts";
import { once } from "./requests.ts";

/** Creates a namespace, or answers with the one that exists. */
export function createNamespace(tx: Transaction, operation: CreateNamespaceOperation): CreateNamespaceResult {
  const { name, description } = operation;
  return once<CreateNamespaceOperation>(
    tx,
    "create-namespace",
    operation.request,
    () => [name, description],
    () => {
      const { namespaces } = tx.parts;
      const present = namespaces.get(name);
      if (present !== undefined) return { verb: "create-namespace", existed: true, namespace: present };
      const namespace = namespaces.create(name, description, tx.now);
      tx.parts.events.add(namespaces.idOf(name) ?? 0, tx.now, operation.action, {});
      return { verb: "create-namespace", existed: false, namespace };
    },
    (refused) => ({ verb: "create-namespace", refused }),
  );
}
