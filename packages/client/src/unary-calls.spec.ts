import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import { type AddressInfo, createServer as createListener } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { AddTasksResponseSchema, TaskService } from "@tq/proto";
import {
  framedCallBytes,
  framedMethods,
  framedReply,
  FrameReader,
  framesAccepted,
  framesPreface,
  FrameWriter,
} from "@tq/proto/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openUnaryCalls, type UnaryCalls } from "./unary-calls.ts";

let server: Server;
let calls: UnaryCalls;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    request.once("end", () => answer(request, response));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  calls = openUnaryCalls(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`);
});

afterEach(async () => {
  await calls.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function client() {
  const stream = () => Promise.reject(new Error("no streams here"));
  return createClient(TaskService, { unary: calls.unary, stream });
}

function reply(response: ServerResponse, status: number, contentType: string, body: Uint8Array | string): void {
  response.writeHead(status, { "content-type": contentType });
  response.end(body);
}

const added = { $typeName: "tq.v1.AddedTask", id: "a", run: 1, existed: false, warnings: [] } as const;

test("a call goes to its path with its deadline and the caller's headers, and its answer comes back in pieces", async () => {
  let asked: IncomingMessage | undefined;
  answer = (request, response) => {
    asked = request;
    const bytes = toBinary(AddTasksResponseSchema, {
      $typeName: "tq.v1.AddTasksResponse",
      tasks: [{ ...added, warnings: [] }],
    });
    response.writeHead(200, { "content-type": "application/proto", "x-seen": "yes" });
    response.write(bytes.subarray(0, 2));
    response.end(bytes.subarray(2));
  };
  let seen: string | null = null;
  const onHeader = (headers: Headers): void => void (seen = headers.get("x-seen"));
  const { tasks } = await client().addTasks({}, { timeoutMs: 1_234, headers: { traceparent: "t" }, onHeader });
  expect(tasks).toEqual([added]);
  expect([asked?.method, asked?.url]).toEqual(["POST", "/prefix/tq.v1.TaskService/AddTasks"]);
  expect(asked?.headers).toMatchObject({
    "content-type": "application/proto",
    "connect-protocol-version": "1",
    "connect-timeout-ms": "1234",
    traceparent: "t",
  });
  expect(seen).toBe("yes");
});

test("an error of the server keeps its code and its text", async () => {
  const refused = new ConnectError("no room", Code.ResourceExhausted);
  answer = (_request, response) => reply(response, 429, "application/json", errorToJsonBytes(refused, undefined));
  await expect(client().addTasks({})).rejects.toMatchObject({ code: Code.ResourceExhausted, rawMessage: "no room" });
});

test.each([
  [503, "text/html", Code.Unavailable],
  [404, "text/plain", Code.Unimplemented],
  [200, "text/html", Code.Unknown],
])("what is no answer of a tq server is told by its status: %i, %s", async (status, contentType, code) => {
  answer = (_request, response) => reply(response, status, contentType, "<html>");
  await expect(client().addTasks({})).rejects.toMatchObject({ code });
});

test("a call that is not answered in time ends with its deadline, and its connection is not used again", async () => {
  answer = () => undefined;
  await expect(client().addTasks({}, { timeoutMs: 20 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  answer = (_request, response) => reply(response, 200, "application/proto", "");
  expect((await client().addTasks({})).tasks).toEqual([]);
});

test("a call ends as soon as its signal aborts, before it is sent or while it waits", async () => {
  const arrived = Promise.withResolvers<void>();
  answer = () => arrived.resolve();
  const waiting = new AbortController();
  const call = client().addTasks({}, { signal: waiting.signal });
  const failed = call.catch((reason: unknown) => reason);
  await arrived.promise;
  waiting.abort();
  expect(await failed).toMatchObject({ code: Code.Canceled });
  await expect(client().addTasks({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: Code.Canceled });
});

test("a connection that breaks is told by its code", async () => {
  answer = (request) => void request.socket.destroy();
  const error: unknown = await client()
    .addTasks({})
    .catch((reason: unknown) => reason);
  const codes: unknown[] = [];
  for (let next: unknown = error; next instanceof Error; next = next.cause) codes.push("code" in next && next.code);
  expect(codes).toContain("UND_ERR_SOCKET");
});

test("where frames are spoken, only what fits them goes there", async () => {
  const framed: string[] = [];
  const bytes = toBinary(AddTasksResponseSchema, create(AddTasksResponseSchema));
  const both = createListener((socket) => {
    socket.once("data", (first: Buffer) => {
      if (!first.subarray(0, framesPreface.length).equals(framesPreface)) {
        socket.pause();
        socket.unshift(first);
        server.emit("connection", socket);
        socket.resume();
        return;
      }
      socket.write(framesAccepted);
      const writer = new FrameWriter(socket);
      const reader = new FrameReader(framedCallBytes, ({ kind, call }) => {
        framed.push(framedMethods[kind]?.name ?? "");
        writer.write(framedReply.message, call, 0, bytes);
      });
      reader.read(first.subarray(framesPreface.length));
      socket.on("data", (more: Buffer) => reader.read(more));
    });
  }).listen(0, "127.0.0.1");
  await once(both, "listening");
  const unary = openUnaryCalls(`http://127.0.0.1:${(both.address() as AddressInfo).port}`);
  const tasks = createClient(TaskService, { unary: unary.unary, stream: () => Promise.reject(new Error("none")) });
  const overHttp: string[] = [];
  answer = (request, response) => {
    overHttp.push(`${request.url} ${String(request.headers["x-more"] ?? "")}`);
    reply(response, 200, "application/proto", bytes);
  };
  await tasks.addTasks({ tasks: [{ id: "a" }] });
  expect([framed, overHttp]).toEqual([["AddTasks"], []]);
  await tasks.addTasks({}, { headers: { "x-more": "yes" } });
  await tasks.addTasks({ tasks: [{ id: "x".repeat(framedCallBytes) }] });
  await tasks.getTasks({});
  expect(framed).toEqual(["AddTasks"]);
  const path = "/tq.v1.TaskService";
  expect(overHttp).toEqual([`${path}/AddTasks yes`, `${path}/AddTasks `, `${path}/GetTasks `]);
  await unary.close();
  both.close();
});
