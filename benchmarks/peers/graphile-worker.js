// graphile-worker on PostgreSQL, in its fastest setting: a local queue of 500 tasks, completions in batches. Its tables are
// made as the first connection opens; the queue is the name of the task's type.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const maxPoolSize = 20;
const logger = new Logger(() => () => {});

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue: identifier }) {
  const connectionString = `postgres://postgres@${host}:${port}/postgres`;
  const utils = await makeWorkerUtils({ connectionString, maxPoolSize, logger });
  await utils.migrate();
  let runner;
  return {
    addBatch: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier, payload: { payload } }))),
    add: (payload) => utils.addJob(identifier, { payload }),
    async work(handler) {
      const taskList = { [identifier]: async ({ payload }) => handler(payload) };
      const preset = { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } };
      const options = { connectionString, maxPoolSize, concurrency: 100, pollInterval: 2000, noHandleSignals: true };
      runner = await run({ ...options, taskList, preset, logger });
    },
    async close() {
      await runner?.stop();
      await utils.release();
    },
  };
}
