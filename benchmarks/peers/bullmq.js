// BullMQ on Redis. Its worker fetches up to 100 tasks at once by `concurrency`.
import { Queue, Worker } from "bullmq";

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue: name }) {
  const connection = { host, port, maxRetriesPerRequest: null };
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  let worker;
  return {
    addBatch: (payloads) => queue.addBulk(payloads.map((payload) => ({ name: "bench", data: { payload } }))),
    add: (payload) => queue.add("bench", { payload }),
    async work(handler) {
      worker = new Worker(name, async ({ data }) => handler(data.payload), { connection, concurrency: 100 });
      await worker.waitUntilReady();
    },
    async close() {
      await worker?.close();
      await queue.close();
    },
  };
}
