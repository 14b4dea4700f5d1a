// bunqueue, whose client runs under Bun alone. Setting `durable: "true"` asks for each task to be on disk as it is
// acknowledged.
import { Queue, Worker } from "bunqueue/client";

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue: name, settings }) {
  const connection = { host, port };
  const opts = { removeOnComplete: true, ...(settings.durable === "true" && { durable: true }) };
  const queue = new Queue(name, { connection });
  let worker;
  return {
    addBatch: (payloads) => queue.addBulk(payloads.map((payload) => ({ name: "bench", data: { payload }, opts }))),
    add: (payload) => queue.add("bench", { payload }, opts),
    async work(handler) {
      worker = new Worker(name, async ({ data }) => handler(data.payload), {
        connection,
        concurrency: 100,
        batchSize: 100,
      });
    },
    async close() {
      await worker?.close();
      queue.close();
    },
  };
}
