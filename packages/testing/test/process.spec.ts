import { connect } from "node:net";
import { once } from "node:events";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus } from "@tq/proto/grpc/health/v1";
import { OperatorService, TaskQueueKind, TaskService, WorkerService } from "@tq/proto";
import { afterEach, describe, expect, test } from "vitest";
import { freePort, isConnectionLost, ServerProcess } from "./server-process.ts";

const servers: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map(async (server) => server.remove()));
});

async function started(): Promise<ServerProcess> {
  const server = new ServerProcess(await freePort());
  servers.push(server);
  await server.start();
  return server;
}

const taskQueue = { name: "q", kind: TaskQueueKind.ACTIVITY };

describe("a server in a process of its own", { timeout: 30_000 }, () => {
  test("answers Connect, gRPC and gRPC-Web on one port, over HTTP/1.1 and HTTP/2", async () => {
    const { url } = await started();
    const transports = [
      createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
      createConnectTransport({ baseUrl: url, httpVersion: "2" }),
      createGrpcTransport({ baseUrl: url }),
      createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }),
      createGrpcWebTransport({ baseUrl: url, httpVersion: "2" }),
    ];
    for (const [i, transport] of transports.entries()) {
      const { tasks } = await createClient(TaskService, transport).addTasks({
        tasks: [{ id: `t${i}`, taskQueue, type: "t" }],
      });
      expect(tasks.map(({ id }) => id)).toEqual([`t${i}`]);
      const { status } = await createClient(Health, transport).check({});
      expect(status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    }
  });

  test("SIGTERM answers waiting polls empty, commits and answers what is in flight, and exits with 0", async () => {
    const server = await started();
    const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
    const tasks = createClient(TaskService, transport);
    const waiting = createClient(WorkerService, transport).pollTasks({
      worker: { workerId: "w" },
      taskQueues: [{ ...taskQueue, name: "other" }],
    });
    const waitingTasks = tasks.getTasks({ ids: ["t0-0"], wait: { seconds: 60n } });
    // Adds go on while the server stops: each is either acknowledged, and then there after a restart, or refused.
    const acknowledged: string[] = [];
    const refused: ConnectError[] = [];
    let stopped = false;
    const adding = Array.from({ length: 4 }, async (_, producer) => {
      for (let n = 0; !stopped; n++) {
        const id = `t${producer}-${n}`;
        try {
          await tasks.addTasks({ tasks: [{ id, taskQueue, type: "t" }] });
          acknowledged.push(id);
        } catch (error) {
          refused.push(ConnectError.from(error));
          return;
        }
      }
    });
    await expect.poll(() => acknowledged.length).toBeGreaterThan(20);
    expect(await server.stop()).toBe(0);
    stopped = true;
    await Promise.all(adding);
    expect((await waiting).tasks).toEqual([]);
    expect((await waitingTasks).tasks.length).toBeLessThanOrEqual(1);
    // Aborted: the call met a connection that was being closed. Either way it is known not to be acknowledged.
    for (const error of refused) expect([error.message, isConnectionLost(error)]).toEqual([error.message, true]);

    await server.start();
    const { missingIds } = await tasks.getTasks({ ids: acknowledged.slice(0, 1_000) });
    expect(missingIds).toEqual([]);
  });

  test("a second server on the same file is refused, and says what to do", async () => {
    const first = await started();
    const second = new ServerProcess(await freePort(), [], first.dataDir);
    await expect(second.start()).rejects.toThrow(/another tq server has .*tq\.db open.*Stop it first/s);
    expect(second.output).not.toContain("    at ");
  });

  test("a port that is in use is refused, and says what to do", async () => {
    const first = await started();
    const second = new ServerProcess(first.port);
    servers.push(second);
    await expect(second.start()).rejects.toThrow(new RegExp(String(first.port)));
    expect(second.output).not.toContain("    at ");
  });

  test("a poll whose connection goes away before its answer loses nothing", async () => {
    const server = await started();
    const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
    const body = JSON.stringify({
      worker: { workerId: "gone" },
      taskQueues: [{ name: "q", kind: "TASK_QUEUE_KIND_ACTIVITY" }],
      wait: "30s",
    });
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    const head = `POST /tq.v1.WorkerService/PollTasks HTTP/1.1\r\nhost: tq\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    socket.write(head + body);
    const workers = createClient(WorkerService, transport);
    const tasks = createClient(TaskService, transport);
    const operators = createClient(OperatorService, transport);
    const freeSlots = async (): Promise<number | undefined> =>
      (await operators.describeTaskQueue({ taskQueue })).taskQueues[0]?.workers[0]?.freeSlots;
    await expect.poll(freeSlots).toBe(1);
    socket.destroy();
    await expect.poll(freeSlots).toBe(0);
    await tasks.addTasks({ tasks: [{ id: "a", taskQueue, type: "t" }] });
    const { tasks: got } = await workers.pollTasks({
      worker: { workerId: "w" },
      taskQueues: [taskQueue],
      wait: { seconds: 10n },
    });
    expect(got.map(({ id, attempt }) => [id, attempt])).toEqual([["a", 1]]);
  });
});
