import { type Client, TqError } from "@tq/client";
import { eventTask, startTaskId } from "./wire.ts";
import type { WorkflowArgs } from "./workflow.ts";

/**
 * Starts workflows and signals to them, from any process: both are tasks for the engine's queue, kept by tq until an
 * engine takes them. `W` is the type of the engine's table of workflows.
 */
export class WorkflowClient<W extends object> {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /**
   * Starts a workflow; resolves once that cannot be lost any more. One that was started already is left as it is. The id
   * is at most 200 bytes.
   */
  async start<N extends keyof W & string>(type: N, id: string, ...args: WorkflowArgs<W[N]>): Promise<void> {
    const task = eventTask(this.#taskQueue, { workflow: id, type }, { kind: "started", args }, startTaskId(id));
    try {
      await this.#client.tasks.add(task);
    } catch (error) {
      if (!(error instanceof TqError && error.reason === "TASK_ID_TAKEN")) throw error;
    }
  }

  /** Tells a workflow something; before it has started, too. `signalId` makes a repeat of this call do nothing. */
  async signal(
    type: keyof W & string,
    id: string,
    signal: string,
    value?: unknown,
    signalId: string = this.#client.config.newId(),
  ): Promise<void> {
    const event = { kind: "signaled", signal, value } as const;
    await this.#client.tasks.add(eventTask(this.#taskQueue, { workflow: id, type }, event, `${id}/signal/${signalId}`));
  }
}
