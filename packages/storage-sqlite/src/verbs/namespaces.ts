import type { CreateNamespaceOperation, CreateNamespaceResult } from "@tq/storage";
import type { Transaction } from "../transaction.ts";

/** Creates a namespace, or answers with the one that exists. */
export function createNamespace(tx: Transaction, operation: CreateNamespaceOperation): CreateNamespaceResult {
  const { namespaces } = tx.parts;
  const present = namespaces.get(operation.name);
  if (present !== undefined) return { verb: "create-namespace", existed: true, namespace: present };
  const namespace = namespaces.create(operation.name, operation.description, tx.now);
  return { verb: "create-namespace", existed: false, namespace };
}
