import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { TaskQueueKind, WorkerService } from "@tq/proto";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@tq/proto/grpc/health/v1";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { emptyPoll, fakeDispatched } from "../../test/fake-matching.ts";
import { holdNextPoll } from "../../test/held-poll.ts";
import { startOnAPort, type OnAPort } from "../../test/on-a-port.ts";
import type { CallerSignal, PollCall, PollReply } from "../matching/matching.ts";
import type { Incident } from "../errors/boundary.ts";
import { createRoutes } from "../rpc/routes.ts";
import { NetServer } from "./net-server.ts";

const report = (): never => expect.fail("an incident was reported");
let port: OnAPort;
beforeEach(async () => {
  port = await startOnAPort();
});
afterEach(async () => {
  port.health.drain();
  await port.server.stop(0);
});

const poll = { worker: { workerId: "w" }, taskQueues: [{ name: "q", kind: TaskQueueKind.ACTIVITY }] };

const oneTask: PollReply = { ...emptyPoll, tasks: [fakeDispatched("a")] };

describe("a long poll whose client goes away", () => {
  const aborted = async (signal: CallerSignal): Promise<unknown> =>
    signal.aborted ? undefined : new Promise<void>((resolve) => signal.addEventListener("abort", resolve));

  it.each([
    ["HTTP/1.1", () => createConnectTransport({ baseUrl: port.url, httpVersion: "1.1" })],
    ["HTTP/2", () => createGrpcTransport({ baseUrl: port.url })],
  ])("is aborted, and its answer is known to be undelivered: %s", async (_version, transport) => {
    const held = holdNextPoll(port.matching);
    const leaving = new AbortController();
    const call = createClient(WorkerService, transport()).pollTasks(poll, { signal: leaving.signal });
    const failed = call.catch((reason: unknown) => reason);
    const { call: arrived, answer, undelivered } = await held;
    leaving.abort();
    expect(await failed).toBeInstanceOf(ConnectError);
    await aborted(arrived.signal);
    answer(oneTask);
    await vi.waitFor(() => expect(undelivered).toHaveBeenCalledTimes(1));
    expect(port.incidents).toEqual([]);
  });

  it("is told even if it only asks once the client has gone", async () => {
    const late = Promise.withResolvers<PollCall>();
    port.matching.onPoll = (call) => new Promise(() => late.resolve(call));
    const socket = connect(port.server.address.port, "127.0.0.1");
    socket.write(requestOf(poll));
    const call = await late.promise;
    socket.destroy();
    await aborted(call.signal);
    await vi.waitFor(async () => {
      const told = await new Promise<boolean>((resolve) => {
        call.delivery.onUndelivered(() => resolve(true));
        setImmediate(() => resolve(false));
      });
      expect(told).toBe(true);
    });
  });

  it("has its answer delivered if it stays", async () => {
    const held = holdNextPoll(port.matching);
    const reply = createClient(WorkerService, createGrpcTransport({ baseUrl: port.url })).pollTasks(poll);
    const { answer, undelivered } = await held;
    answer(oneTask);
    expect((await reply).tasks).toHaveLength(1);
    await port.server.stop(0);
    expect(undelivered).not.toHaveBeenCalled();
  });
});

describe("an answer that cannot be sent", () => {
  it("is reported, and its caller told under which number", async () => {
    const incidents: Incident[] = [];
    const path = "/tq.v1.TaskService/AddTasks";
    const broken = new NetServer({
      host: "127.0.0.1",
      port: 0,
      routes: createRoutes(port.matching, { version: "1", report }),
      // Node writes no numbers.
      hotCalls: new Map([[path, async () => 5 as unknown as Uint8Array]]),
      report: (incident) => void incidents.push(incident),
    });
    const { url } = await broken.start();
    const headers = { "content-type": "application/proto" };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: "x" });
    expect(response.status).toBe(500);
    expect(incidents).toMatchObject([{ call: path.slice(1), cause: expect.any(Error) as Error }]);
    expect(await response.text()).toContain(incidents[0]!.id);
    await broken.stop(0);
  });
});

describe("stop", () => {
  it("lets what is under way end, and closes idle connections at once", async () => {
    const idle = connect(port.server.address.port, "127.0.0.1");
    idle.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(idle, "data");
    const silent = connect(port.server.address.port, "127.0.0.1");
    await once(silent, "connect");

    const first = holdNextPoll(port.matching);
    const one = createClient(
      WorkerService,
      createConnectTransport({ baseUrl: port.url, httpVersion: "1.1" }),
    ).pollTasks(poll);
    const heldOne = await first;
    const second = holdNextPoll(port.matching);
    const two = createClient(WorkerService, createGrpcTransport({ baseUrl: port.url })).pollTasks(poll);
    const heldTwo = await second;

    let stopped = false;
    const stopping = port.server.stop(60_000).then(() => (stopped = true));
    await Promise.all([ended(idle), ended(silent)]);
    expect(stopped).toBe(false);
    heldOne.answer(oneTask);
    heldTwo.answer(oneTask);
    expect((await one).tasks).toHaveLength(1);
    expect((await two).tasks).toHaveLength(1);
    await stopping;
  });

  it("says goodbye to HTTP/2 clients, and takes no new connections", async () => {
    const session = connectHttp2(port.url);
    await once(session, "remoteSettings");
    const goaway = once(session, "goaway");
    await port.server.stop(60_000);
    await goaway;
    await expect(fetch(port.url)).rejects.toThrow("fetch failed");
    session.destroy();
  });

  it("tells watchers of its health, who do not hold it up", async () => {
    const watch = createClient(Health, createGrpcTransport({ baseUrl: port.url })).watch({});
    const seen: Serving[] = [];
    const iterator = watch[Symbol.asyncIterator]();
    seen.push(((await iterator.next()) as { value: { status: Serving } }).value.status);
    port.health.drain();
    const stopping = port.server.stop(60_000);
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      seen.push(next.value.status);
    expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING]);
    await stopping;
  });

  it("cuts off what is still under way after the grace time", async () => {
    const held = holdNextPoll(port.matching);
    const call = createClient(
      WorkerService,
      createConnectTransport({ baseUrl: port.url, httpVersion: "1.1" }),
    ).pollTasks(poll);
    const failed = call.catch((reason: unknown) => reason);
    const { undelivered } = await held;
    await port.server.stop(1);
    expect(await failed).toBeInstanceOf(ConnectError);
    await vi.waitFor(() => expect(undelivered).toHaveBeenCalledTimes(1));
  });

  it("can be called twice, and before start", async () => {
    await Promise.all([port.server.stop(0), port.server.stop(0)]);
    await new NetServer({ host: "127.0.0.1", port: 0, routes: () => undefined, hotCalls: new Map(), report }).stop(0);
  });
});

describe("start", () => {
  const start = (host: string, number: number) =>
    new NetServer({ host, port: number, routes: () => undefined, hotCalls: new Map(), report }).start();

  it("names the port that is in use, and what to do", async () => {
    const { port: taken } = port.server.address;
    await expect(start("127.0.0.1", taken)).rejects.toMatchObject({
      name: "ListenError",
      code: "port-in-use",
      message: expect.stringMatching(new RegExp(`port ${taken} on 127.0.0.1 is in use.*another port`)) as string,
    });
  });

  it("names the address that this machine does not have", async () => {
    await expect(start("203.0.113.1", 0)).rejects.toMatchObject({
      code: "no-such-address",
      message: expect.stringContaining("203.0.113.1") as string,
    });
  });

  it("says where it listens", () => {
    expect(port.server.address).toMatchObject({
      host: "127.0.0.1",
      url: `http://127.0.0.1:${port.server.address.port}`,
    });
  });
});

async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

function requestOf(body: unknown): string {
  const json = JSON.stringify(body).replaceAll('"kind":1', '"kind":"TASK_QUEUE_KIND_ACTIVITY"');
  const head = ["POST /tq.v1.WorkerService/PollTasks HTTP/1.1", "Host: x", "Content-Type: application/json"];
  return [...head, `Content-Length: ${Buffer.byteLength(json)}`, "", json].join("\r\n");
}
