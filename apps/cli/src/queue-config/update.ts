import { create } from "@bufbuild/protobuf";
import { TqError } from "@tq/client";
import { type TaskQueueConfig, TaskQueueConfigSchema, type TaskQueueRef } from "@tq/proto";
import { type ActionFlags, actionOf } from "../arguments/action.ts";
import { queueName } from "../output/names.ts";
import type { Session } from "../session.ts";
import type { ConfigEdit } from "./edit.ts";

/** A change of a queue's configuration. */
export interface ConfigUpdate extends ActionFlags {
  readonly queue: TaskQueueRef;
  readonly edit: ConfigEdit;
  /** Only if this is the present one. */
  readonly revision?: number | undefined;
}

/** What a queue is configured to be after an update. */
export interface UpdatedConfig {
  readonly config: TaskQueueConfig;
  /** False: there was nothing to change. */
  readonly isChanged: boolean;
}

/** So often a change that somebody else's got ahead of is made again. */
const mostTries = 5;

/**
 * Changes what the configuration is now. Where somebody else changes it in
 * between, both changes stand: this one is made again on what it then is.
 *
 * @throws TqError REVISION_MISMATCH if that does not come to an end, or the revision is not the one that was insisted on
 */
export async function updateConfig(update: ConfigUpdate, session: Session): Promise<UpdatedConfig> {
  for (let tries = 1; ; tries++) {
    const current = await readConfig(update.queue, session);
    if (update.revision !== undefined && current.revision !== BigInt(update.revision)) throw mismatch(update, current);
    const change = update.edit(current);
    if (change === undefined) return { config: current, isChanged: false };
    const request = {
      namespace: session.globals.namespace,
      action: actionOf(update, session),
      taskQueue: update.queue,
      config: change.config,
      updateMask: { paths: [...change.paths] },
      expectedRevision: current.revision,
    };
    try {
      const { operator } = session.client.services;
      const { config } = await operator.updateTaskQueueConfig(request, { signal: session.signal });
      return { config: config ?? change.config, isChanged: true };
    } catch (error) {
      const isOvertaken = error instanceof TqError && error.reason === "REVISION_MISMATCH";
      if (!isOvertaken || update.revision !== undefined || tries === mostTries) throw error;
    }
  }
}

async function readConfig(taskQueue: TaskQueueRef, { client, globals, signal }: Session): Promise<TaskQueueConfig> {
  const request = { namespace: globals.namespace, taskQueue };
  const { taskQueues } = await client.services.operator.describeTaskQueue(request, { signal });
  return taskQueues[0]?.config ?? create(TaskQueueConfigSchema);
}

function mismatch({ queue, revision }: ConfigUpdate, { revision: present }: TaskQueueConfig): TqError {
  return new TqError({
    code: "aborted",
    reason: "REVISION_MISMATCH",
    message: `The configuration of ${queueName(queue)} is at revision ${present}, not ${revision}: nothing was changed.`,
  });
}
