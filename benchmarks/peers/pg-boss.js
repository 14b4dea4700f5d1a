// pg-boss on PostgreSQL, in its fastest setting: batches of 100, fetched without a pause while they come full, and woken by
// NOTIFY. It keeps completed tasks in its table until its maintenance comes by.
import { PgBoss } from "pg-boss";

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue }) {
  const boss = new PgBoss({
    connectionString: `postgres://postgres@${host}:${port}/postgres`,
    max: 20,
    useListenNotify: true,
  });
  boss.on("error", (error) => console.error(error.message));
  await boss.start();
  await boss.createQueue(queue, { notify: true });
  return {
    addBatch: (payloads) =>
      boss.insert(
        queue,
        payloads.map((payload) => ({ data: { payload } })),
      ),
    add: (payload) => boss.send(queue, { payload }),
    work: (handler) =>
      boss.work(queue, { batchSize: 100, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }, async (tasks) => {
        for (const { data } of tasks) handler(data.payload);
      }),
    close: () => boss.stop({ graceful: false }),
  };
}
