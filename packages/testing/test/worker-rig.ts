/* A server and workers that it can lose, each in a process of its own over a real port. */
import { Client } from "@tq/client";
import { afterEach } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";
import { WorkerProcess } from "./worker-process.ts";

type WorkerSettings = Omit<ConstructorParameters<typeof WorkerProcess>[0], "address">;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server, a client of it, and how to start workers. All are gone when the test ends. */
export async function startWorkerRig() {
  const server = new ServerProcess(await freePort());
  cleanUps.push(async () => server.remove());
  await server.start();
  const address = `127.0.0.1:${server.port}`;
  const client = Client.create({ address });
  cleanUps.push(async () => client.close());
  const startWorker = (settings: WorkerSettings): WorkerProcess => {
    const worker = new WorkerProcess({ address, ...settings });
    cleanUps.push(async () => worker.end("SIGKILL"));
    return worker;
  };
  return { server, client, startWorker };
}
