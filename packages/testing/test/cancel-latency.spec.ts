/* A cancel reaches the handler of a worker without a free slot at once, over a real port and in real time. */
import { Client } from "@tq/client";
import { Context, Worker } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";

/**
 * Without the renewal that is held open, a worker would hear of a cancel with its next one, 2.5 s later on average. Alone on a
 * machine it takes a few ms; how long it takes on a busy one says nothing.
 */
const withNextRenewalMs = 2_500;
const cancels = 9;

let server: ServerProcess | undefined;
afterEach(async () => server?.remove());

test(
  "a cancel fires the signal of a worker without a free slot at once, and not with its next renewal",
  { timeout: 60_000 },
  async () => {
    server = new ServerProcess(await freePort());
    await server.start();
    const address = `127.0.0.1:${server.port}`;
    const client = Client.create({ address });
    let began = Promise.withResolvers<void>();
    let fired = Promise.withResolvers<number>();
    const worker = await Worker.create({
      address,
      taskQueue: "q",
      maxConcurrentActivityTaskExecutions: 1,
      activities: {
        async wait() {
          const { cancellationSignal } = Context.current();
          const canceled = new Promise<never>((_resolve, reject) => {
            cancellationSignal.addEventListener("abort", () => {
              fired.resolve(performance.now());
              reject(cancellationSignal.reason as Error);
            });
          });
          began.resolve();
          return canceled;
        },
      },
    });
    const running = worker.run();
    const took: number[] = [];
    for (let i = 0; i < cancels; i++) {
      await client.tasks.add({ taskQueue: "q", type: "wait", id: `task-${i}` });
      await began.promise;
      const at = performance.now();
      await client.tasks.cancel(`task-${i}`);
      took.push((await fired.promise) - at);
      began = Promise.withResolvers();
      fired = Promise.withResolvers();
    }
    worker.shutdown();
    await running;
    await client.close();
    const median = took.sort((a, b) => a - b)[Math.floor(cancels / 2)];
    expect(median).toBeLessThan(withNextRenewalMs);
  },
);
