/* tq as a user has it: `@tq/client` and `@tq/worker-sdk` with their defaults, sharing nothing. */
import { Client } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { Worker } from "@tq/worker-sdk";
import { type Adapter, slots, type Target } from "../table/adapter.ts";

/** See AdapterModule. The setting `retention: "default"` leaves completed tasks for an hour; else they are removed at once. */
export async function connect({ host, port, queue, settings }: Target): Promise<Adapter> {
  const address = `${host}:${port}`;
  const client = await Client.connect({ address });
  if (settings["retention"] !== "default") {
    await client.services.operator.updateTaskQueueConfig({
      namespace: "default",
      taskQueue: { name: queue, kind: TaskQueueKind.ACTIVITY },
      config: { completedRetention: { seconds: 0n, nanos: 0 } },
    });
  }
  let worker: Worker | undefined;
  let running: Promise<void> | undefined;
  const task = (payload: string) => ({ taskQueue: queue, type: "bench", args: [payload] });
  return {
    addBatch: (payloads) => client.tasks.addMany(payloads.map(task)),
    add: (payload) => client.tasks.add(task(payload)),
    async work(handler) {
      const bench = async (payload: string): Promise<void> => handler(payload);
      const maxConcurrentActivityTaskExecutions = slots;
      worker = await Worker.create({
        address,
        taskQueue: queue,
        activities: { bench },
        maxConcurrentActivityTaskExecutions,
      });
      running = worker.run();
    },
    async close() {
      worker?.shutdown();
      await running;
      await client.close();
    },
  };
}
