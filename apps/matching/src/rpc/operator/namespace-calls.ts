import type { ServiceImpl } from "@connectrpc/connect";
import { CreateNamespaceRequestSchema, type Namespace, type OperatorService } from "@tq/proto";
import type { NamespaceRecord } from "@tq/storage";
import { CallRefused } from "../../errors/call-refused.ts";
import { readAction } from "../../translation/action.ts";
import { toCountsMessage } from "../../translation/queue-message.ts";
import { toTimestamp } from "../../translation/time.ts";
import { bounds } from "../../validation/bounds.ts";
import { allowText } from "../../validation/strings.ts";
import { Violations } from "../../validation/violations.ts";
import { defaultNamespace } from "../namespaces.ts";
import { orThrow, type OperatorContext } from "./operator-context.ts";

const namespaceName = /^[a-z0-9][a-z0-9._-]{0,99}$/;

type Calls = Pick<ServiceImpl<typeof OperatorService>, "createNamespace" | "listNamespaces" | "describeNamespace">;

/** Spaces of names. */
export function namespaceCalls({ matching }: OperatorContext): Calls {
  return {
    async createNamespace(request) {
      const violations = new Violations();
      const { name, description } = request;
      if (!namespaceName.test(name)) {
        const takes = 'must be 1 to 100 of a-z, 0-9, "-", "_" and ".", beginning with a letter or digit';
        violations.add("INVALID_NAME", "name", takes);
      }
      allowText(description, bounds.reasonBytes, "description", violations);
      // There is no namespace yet to keep the request id in.
      const read = readAction(CreateNamespaceRequestSchema, request, defaultNamespace, violations);
      const created = orThrow(await matching.operate({ verb: "create-namespace", name, description, ...read }));
      if (created.existed) throw new CallRefused("NAMESPACE_EXISTS", { subject: name });
      return { namespace: toNamespace(created.namespace) };
    },

    async listNamespaces() {
      const records = await matching.reader.listNamespaces();
      return { namespaces: records.map(toNamespace) };
    },

    async describeNamespace(request) {
      const name = request.name === "" ? defaultNamespace : request.name;
      const described = await matching.reader.describeNamespace(name);
      if (described === undefined) throw new CallRefused("NAMESPACE_NOT_FOUND", { subject: name });
      return {
        namespace: toNamespace(described.namespace),
        taskQueues: BigInt(described.taskQueues),
        counts: toCountsMessage(described.counts),
      };
    },
  };
}

function toNamespace({ name, description, createdAt }: NamespaceRecord): Namespace {
  return { $typeName: "tq.v1.Namespace", name, description, createdAt: toTimestamp(createdAt) };
}
