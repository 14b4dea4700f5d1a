import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterEach, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";

let server: ServerProcess | undefined;
afterEach(async () => server?.remove());

const handlerMs = 6_000;

/** A call of a client that grpc-js made from the proto files: no types, as in any dynamic language. */
type Call = (request: object, callback: (error: ServiceError | null, response: Answer) => void) => void;
interface Answer {
  readonly tasks?: readonly { readonly id: string; readonly token: Buffer; readonly state: string }[];
  readonly statuses?: readonly { readonly result: string }[];
}

test(
  "a thirty-line worker on grpc-js, without renewals, runs a handler longer than five seconds, once",
  { timeout: 40_000 },
  async () => {
    server = new ServerProcess(await freePort());
    await server.start();
    const address = `127.0.0.1:${server.port}`;

    // The worker: nothing but an independent gRPC implementation and the proto files.
    const protos = fileURLToPath(new URL("../../../proto", import.meta.url));
    const files = ["tq/v1/worker_service.proto", "tq/v1/task_service.proto"];
    const loaded = loadPackageDefinition(loadSync(files, { includeDirs: [protos], enums: String, defaults: true }));
    const { WorkerService, TaskService } = (
      loaded["tq"] as unknown as { v1: Record<string, new (...args: unknown[]) => Record<string, Call>> }
    ).v1;
    const worker = new WorkerService!(address, credentials.createInsecure());
    const tasks = new TaskService!(address, credentials.createInsecure());
    const call = async (on: Record<string, Call>, name: string, request: object): Promise<Answer> =>
      new Promise((resolve, reject) =>
        on[name]!(request, (error, response) => (error ? reject(error) : resolve(response))),
      );

    const taskQueue = { name: "grpc", kind: "TASK_QUEUE_KIND_ACTIVITY" };
    let runs = 0;
    async function pollOnce(waitSeconds: number): Promise<readonly string[]> {
      const poll = {
        worker: { workerId: "grpc-js" },
        taskQueues: [taskQueue],
        maxTasks: 1,
        wait: { seconds: waitSeconds },
      };
      const { tasks: got = [] } = await call(worker, "pollTasks", poll);
      return Promise.all(
        got.map(async ({ token }) => {
          runs += 1;
          await new Promise((resolve) => setTimeout(resolve, handlerMs)); // The handler: real time is the point.
          const answers = [{ token, completed: { result: { text: '"done"' } } }];
          const { statuses = [] } = await call(worker, "respondTasks", { workerId: "grpc-js", answers });
          return statuses[0]!.result;
        }),
      );
    }

    await call(tasks, "addTasks", { tasks: [{ id: "slow", taskQueue, type: "anything" }] });
    const first = pollOnce(5);
    const second = pollOnce(8); // Another poll waits all the while: nothing may be handed to it.
    expect(await first).toEqual(["ANSWER_RESULT_ACCEPTED"]);
    expect(await second).toEqual([]);
    expect(runs).toBe(1);
    const { tasks: found } = await call(tasks, "getTasks", { ids: ["slow"] });
    expect(found![0]!.state).toBe("TASK_STATE_COMPLETED");
    (worker as unknown as { close(): void }).close();
    (tasks as unknown as { close(): void }).close();
  },
);
