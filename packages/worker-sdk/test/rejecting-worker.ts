// A worker whose handlers leave rejected promises behind. A process of its own, since that is what is at stake.

import { setImmediate } from "node:timers/promises";
import { systemClock } from "@tq/client";
import { Worker } from "../src/worker.ts";
import { FakeServer } from "./fake-server.ts";

const server = new FakeServer(systemClock);
const print = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\n`);
const isLate = Promise.withResolvers<void>();

const worker = await Worker.create({
  taskQueue: "q",
  transport: server.transport,
  activities: {
    async work() {
      void Promise.reject(new Error("at once"));
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      void Promise.reject();
      setTimeout(() => {
        void (async () => {
          await Promise.resolve();
          throw new Error("in a while, after its end");
        })();
        isLate.resolve();
      }, 20);
      return 1;
    },
    fine: () => 2,
  },
  logger: {
    debug() {},
    info() {},
    warn() {},
    error: ({ taskId, error }) => print({ taskId, error: error instanceof Error ? error.message : String(error) }),
  },
});

const run = worker.run();
if (process.argv[2] === "other") {
  void Promise.reject(new Error("nobody's"));
} else {
  server.add("a", "work");
  await isLate.promise;
  // Node tells of a rejection at the end of the turn in which it happened.
  await setImmediate();
  server.add("b", "fine");
  await server.answeredAll("a", "b");
  print({ answers: [...server.answers.keys()] });
  worker.shutdown();
}
await run;
