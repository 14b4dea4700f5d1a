import { execFile } from "node:child_process";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { AnswerResult, OperatorService, TaskQueueKind, TaskService, WorkerService } from "@tq/proto";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@tq/proto/grpc/health/v1";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { emptyPoll, fakeDispatched } from "../../test/fake-matching.ts";
import { refusalOf } from "../../test/in-memory.ts";
import { startOnAPort, type OnAPort } from "../../test/on-a-port.ts";

let port: OnAPort;
beforeAll(async () => {
  port = await startOnAPort();
});
afterAll(async () => {
  port.health.drain();
  await port.server.stop(0);
});
beforeEach(() => {
  port.incidents.length = 0;
});

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const transports: [string, (baseUrl: string) => Transport][] = [
  ["Connect, HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect, HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["Connect with JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web, HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC-Web, HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
];

describe.each(transports)("over %s", (_name, make) => {
  let transport: Transport;
  beforeAll(() => {
    transport = make(port.url);
  });

  it("a task is added, polled and answered", async () => {
    const text = "ä".repeat(100_000);
    const added = await createClient(TaskService, transport).addTasks({
      tasks: [{ id: "a", taskQueue: queue, type: "t", input: [{ body: { case: "text", value: text } }] }],
    });
    expect(added.tasks).toMatchObject([{ id: "a", run: 1 }]);
    const { input } = port.matching.adds.at(-1)!.tasks[0]!;
    port.matching.onPoll = () => Promise.resolve({ ...emptyPoll, tasks: [fakeDispatched("a", { input })] });
    const worker = createClient(WorkerService, transport);
    const { tasks } = await worker.pollTasks({ worker: { workerId: "w" }, taskQueues: [queue] });
    expect(tasks[0]?.input[0]?.body).toEqual({ case: "text", value: text });
    const answer = { case: "completed", value: {} } as const;
    const { statuses } = await worker.respondTasks({ answers: [{ token: tasks[0]!.token, answer }] });
    expect(statuses[0]?.result).toBe(AnswerResult.ACCEPTED);
  });

  it("an error keeps its details", async () => {
    const call = createClient(TaskService, transport).addTasks({ tasks: [{}] });
    expect(await refusalOf(call)).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      fields: ["tasks[0].task_queue", "tasks[0].type"],
    });
  });

  it("a request over 32 MiB is refused with its reason", async () => {
    const value = "x".repeat(33 * 1024 * 1024);
    const call = createClient(TaskService, transport).addTasks({
      tasks: [{ input: [{ body: { case: "text", value } }] }],
    });
    expect(await refusalOf(call)).toMatchObject({ code: "ResourceExhausted", reason: "REQUEST_TOO_LARGE" });
    expect(port.incidents).toEqual([]);
  });

  it("a stream tells how far it is, and a refused one why", async () => {
    const operator = createClient(OperatorService, transport);
    const bulk = { filter: { everything: true } };
    const progress: unknown[] = [];
    for await (const reply of operator.purgeTasks({ bulk })) progress.push(reply.progress);
    expect(progress).toMatchObject([{ changed: 1n, done: true }]);
    const refused = operator.moveTasks({ bulk });
    expect(await refusalOf(refused[Symbol.asyncIterator]().next())).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      fields: ["to"],
    });
  });

  it("health is checked and watched", async () => {
    const client = createClient(Health, transport);
    expect((await client.check({ service: "tq.v1.WorkerService" })).status).toBe(Serving.SERVING);
    expect(await refusalOf(client.check({ service: "x" }))).toMatchObject({ code: "NotFound" });
    const watch = client.watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: Serving.SERVING });
    await watch.return?.();
  });
});

describe("plain HTTP", () => {
  const post = async (
    call: string,
    body: string,
    headers: Record<string, string> = { "content-type": "application/json" },
  ) => {
    const response = await fetch(`${port.url}/${call}`, { method: "POST", headers, body });
    return { status: response.status, text: await response.text() };
  };

  it("adds a task with what one would type into curl", async () => {
    const body = {
      tasks: [
        { id: "x", taskQueue: { name: "q", kind: "TASK_QUEUE_KIND_ACTIVITY" }, type: "t", input: [{ text: "{}" }] },
      ],
    };
    expect(await post("tq.v1.TaskService/AddTasks", JSON.stringify(body))).toEqual({
      status: 200,
      text: '{"tasks":[{"id":"x","run":1}]}',
    });
  });

  it.each([
    ["{", "Expected property name"],
    ["[]", "AddTasksRequest"],
    ['{"taks":[]}', 'key \\"taks\\" is unknown'],
    ['{"tasks":[{"priority":"high"}]}', "tq.v1.NewTask.priority"],
  ])("says what is wrong with the JSON %s", async (body, expected) => {
    const { status, text } = await post("tq.v1.TaskService/AddTasks", body);
    expect(status).toBe(400);
    expect(text).toContain(expected);
    expect(JSON.parse(text)).toMatchObject({
      code: "invalid_argument",
      details: [{ debug: { reason: "INVALID_FIELD" } }],
    });
    expect(text).not.toMatch(/\\n +at /);
  });

  it("says what is wrong with bytes that are no protobuf, which is no defect of the server", async () => {
    const { status, text } = await post("tq.v1.TaskService/AddTasks", "\u0007\u0007", {
      "content-type": "application/proto",
    });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: "invalid_argument" });
    expect(port.incidents).toEqual([]);
  });

  it("quotes no more than a little of what was sent", async () => {
    const { text } = await post("tq.v1.TaskService/AddTasks", JSON.stringify({ ["x".repeat(100_000)]: 1 }));
    expect(text.length).toBeLessThan(2_000);
  });

  it("explains a missing content type, a wrong method and a wrong path", async () => {
    const form = await post("tq.v1.TaskService/AddTasks", "{}", {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(form).toMatchObject({ status: 415, text: expect.stringContaining("application/json") as string });
    expect((await post("tq.v1.TaskService/Add", "{}")).text).toContain("There is nothing at /tq.v1.TaskService/Add");
    const get = await fetch(`${port.url}/tq.v1.TaskService/AddTasks`);
    expect([get.status, await get.text()]).toEqual([405, "Calls are made with POST.\n"]);
  });

  it("greets a browser", async () => {
    const response = await fetch(port.url);
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/^This is tq, .*\n$/);
  });

  it("survives a request with an impossible host", async () => {
    const socket = connect(port.server.address.port, "127.0.0.1");
    socket.write("POST /tq.v1.TaskService/AddTasks HTTP/1.1\r\nHost: [\r\nContent-Length: 0\r\n\r\n");
    const [data] = (await once(socket, "data")) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
  });

  it("tells HTTP/2 from HTTP/1.1 though the first bytes come one by one", async () => {
    const socket = connect({ port: port.server.address.port, host: "127.0.0.1", noDelay: true });
    for (const byte of "GET / HTTP/1.1\r\nHost: x\r\n\r\n") {
      await new Promise<void>((written) => void socket.write(byte, () => written()));
    }
    const [data] = (await once(socket, "data")) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });

  it("answers HTTP/2 as well", async () => {
    const session = connectHttp2(port.url);
    const stream = session.request({ ":path": "/" });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(headers[constants.HTTP2_HEADER_STATUS]).toBe(200);
    session.destroy();
  });
});

describe("buf curl, without a schema", () => {
  const buf = fileURLToPath(new URL("../../../../node_modules/.bin/buf", import.meta.url));
  const curl = async (...args: string[]): Promise<string> => (await promisify(execFile)(buf, ["curl", ...args])).stdout;

  it.each(["connect", "grpc", "grpcweb"])("lists and makes calls by reflection, with %s", async (protocol) => {
    const call = `${port.url}/tq.v1.OperatorService/GetServerInfo`;
    const reply = await curl("--http2-prior-knowledge", "--protocol", protocol, "--emit-defaults", call);
    expect(JSON.parse(reply)).toMatchObject({ version: "1.2.3", epoch: "7" });
  });

  it.each(["grpc-v1", "grpc-v1alpha"])("by either version of the protocol: %s", async (protocol) => {
    const methods = await curl("--http2-prior-knowledge", "--reflect-protocol", protocol, "--list-methods", port.url);
    expect(methods.split("\n")).toContain("tq.v1.WorkerService/PollTasks");
    expect(methods.split("\n")).toContain("grpc.health.v1.Health/Check");
  });
});
