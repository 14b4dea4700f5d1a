import { isAbsolute } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  BackupServerRequestSchema,
  type BackupServerResponse,
  type OperatorService,
  type ServerLimitsSchema,
} from "@tq/proto";
import { StoreError } from "@tq/storage";
import { CallRefused } from "../../errors/call-refused.ts";
import { readAction } from "../../translation/action.ts";
import { toTimestamp } from "../../translation/time.ts";
import { bounds } from "../../validation/bounds.ts";
import { allowText } from "../../validation/strings.ts";
import { Violations } from "../../validation/violations.ts";
import { defaultNamespace } from "../namespaces.ts";
import type { ServicesContext } from "../services-context.ts";
import type { OperatorContext } from "./operator-context.ts";
import { progressOf } from "./progress.ts";

/** The server as such. */
export function serverCalls(
  services: OperatorContext,
): Pick<ServiceImpl<typeof OperatorService>, "getServerInfo" | "backupServer"> {
  const { matching } = services;
  return {
    getServerInfo() {
      const { info } = matching;
      return {
        version: services.version,
        instanceId: info.instanceId,
        startedAt: toTimestamp(info.startedAt),
        now: toTimestamp(matching.now()),
        storage: info.storage,
        epoch: BigInt(info.epoch),
        limits: limitsOf(services),
        services: matching.services().map(({ name, running, lastProgressAt, lastError }) => ({
          name,
          running,
          lastProgress: toTimestamp(lastProgressAt),
          lastError,
        })),
        waitingPolls: matching.waitingPolls,
        liveWorkers: matching.liveWorkers,
      };
    },

    async *backupServer(request, { signal }): AsyncGenerator<BackupServerResponse> {
      const { path } = request;
      const violations = new Violations();
      if (!isAbsolute(path)) {
        violations.add("INVALID_FIELD", "path", "must be an absolute path of a file on the server's machine");
      }
      if (path.includes("\0")) violations.add("INVALID_FIELD", "path", "must have no zero byte");
      allowText(path, bounds.pathBytes, "path", violations);
      const { action } = readAction(BackupServerRequestSchema, request, defaultNamespace, violations);
      let total = 0;
      const backup = progressOf<{ pagesTotal: number; pagesRemaining: number }, { bytes: number }>((onProgress) =>
        matching.backup(path, (progress) => {
          // What is thrown here ends the backup, and removes what there is of it.
          signal.throwIfAborted();
          onProgress(progress);
        }),
      );
      try {
        for await (const { pagesTotal, pagesRemaining } of backup.progress) {
          total = pagesTotal;
          yield toBackupMessage(pagesTotal, pagesRemaining);
        }
        const { bytes } = await backup.result;
        await matching.note({ verb: "note", namespace: defaultNamespace, action });
        yield { ...toBackupMessage(total, 0), done: true, bytes: BigInt(bytes) };
      } catch (error) {
        throw ofPath(error);
      }
    },
  };
}

function toBackupMessage(pagesTotal: number, pagesRemaining: number): BackupServerResponse {
  return {
    $typeName: "tq.v1.BackupServerResponse",
    pagesTotal: BigInt(pagesTotal),
    pagesRemaining: BigInt(pagesRemaining),
    done: false,
    bytes: 0n,
  };
}

/** That a file cannot be written is no fault of the server: the caller has named it. */
function ofPath(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "unusable") return error;
  const description = "must name a file that does not exist, in a folder that can be written";
  const fields = [{ reason: "INVALID_FIELD", field: "path", description } as const];
  return new CallRefused("INVALID_FIELD", { message: error.message, fields, cause: error });
}

function limitsOf({ maxReplyBytes }: ServicesContext): MessageInitShape<typeof ServerLimitsSchema> {
  return {
    maxReplyBytes,
    maxRequestBytes: bounds.requestBytes,
    maxPayloadBytes: bounds.payloadBytes,
    maxTasksPerAdd: bounds.tasksPerAdd,
  };
}
