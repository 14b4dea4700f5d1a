import { clone, create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type TaskQueueConfig, TaskQueueConfigSchema, type UpdateTaskQueueConfigRequest } from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import type { World } from "./tq.ts";

/** A queue that keeps a configuration as the contract says: the fields of the mask are taken, revisions are compared. */
export class ConfiguredQueue {
  config: TaskQueueConfig;
  /** What it was asked, refused or not. */
  readonly asked: UpdateTaskQueueConfigRequest[] = [];
  /** Somebody else's changes, each made between a read and the write that follows it. */
  readonly overtaking: ((config: TaskQueueConfig) => void)[] = [];

  constructor(config: Parameters<typeof create<typeof TaskQueueConfigSchema>>[1] = {}) {
    this.config = create(TaskQueueConfigSchema, config);
  }

  readonly world: World = {
    operator: {
      describeTaskQueue: ({ taskQueue }) => ({
        taskQueues: [{ taskQueue: taskQueue!, config: clone(TaskQueueConfigSchema, this.config) }],
      }),
      updateTaskQueueConfig: (request) => this.#update(request),
    },
  };

  #update(request: UpdateTaskQueueConfigRequest): { config: TaskQueueConfig } {
    this.asked.push(request);
    const overtake = this.overtaking.shift();
    if (overtake !== undefined) {
      overtake(this.config);
      this.config.revision += 1n;
    }
    if (request.expectedRevision !== 0n && request.expectedRevision !== this.config.revision) {
      const info = { desc: ErrorInfoSchema, value: { domain: "tq", reason: "REVISION_MISMATCH" } };
      throw new ConnectError("somebody else has changed it first", Code.Aborted, undefined, [info]);
    }
    const next: Record<string, unknown> = { ...this.config };
    const named = TaskQueueConfigSchema.fields.filter(({ name }) => request.updateMask!.paths.includes(name));
    if (named.length !== request.updateMask!.paths.length) throw new ConnectError("no such path", Code.InvalidArgument);
    for (const { localName } of named) next[localName] = request.config![localName as keyof TaskQueueConfig];
    this.config = create(TaskQueueConfigSchema, { ...next, revision: this.config.revision + 1n });
    return { config: clone(TaskQueueConfigSchema, this.config) };
  }
}
