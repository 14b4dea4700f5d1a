import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { AnswerResult, TaskQueueKind, TaskService, WorkerService } from "@tq/proto";
import {
  framedBytesAtOnce,
  framedCallBytes,
  framedCallsAtOnce,
  framedCancel,
  framedMethods,
  framedReply,
  FrameReader,
  framesAccepted,
  framesPreface,
  writeFrameHeader,
} from "@tq/proto/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { emptyPoll, fakeDispatched } from "../../test/fake-matching.ts";
import { refusalOf } from "../../test/in-memory.ts";
import { holdNextPoll } from "../../test/held-poll.ts";
import { startOnAPort, type OnAPort } from "../../test/on-a-port.ts";
import type { Incident } from "../errors/boundary.ts";
import type { PollReply } from "../matching/matching.ts";
import type { HotCall } from "../rpc/hot-calls.ts";
import { FramedCall } from "./framed-call.ts";
import { FramedConnection } from "./framed-connection.ts";
import { NetServer } from "./net-server.ts";
import { routesByPath } from "./route.ts";

let port: OnAPort;
const clients: FramesClient[] = [];
beforeEach(async () => {
  port = await startOnAPort();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  port.health.drain();
  await port.server.stop(0);
});

/** Speaks frames by hand. */
class FramesClient {
  readonly socket: Socket;
  readonly replies: { kind: number; call: number; bytes: Uint8Array }[] = [];
  #told: (() => void) | undefined;
  #lastCall = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    const frames = new FrameReader(Number.POSITIVE_INFINITY, ({ kind, call }, bytes) => {
      this.replies.push({ kind, call, bytes: Uint8Array.from(bytes) });
      this.#told?.();
    });
    let said = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      const before = said.length;
      if (before >= framesAccepted.length) {
        frames.read(bytes);
        return;
      }
      said = Buffer.concat([said, bytes]);
      if (said.length > framesAccepted.length) frames.read(said.subarray(framesAccepted.length));
      expect(said.subarray(0, framesAccepted.length)).toEqual(framesAccepted.subarray(0, said.length));
    });
  }

  static async open(server: NetServer = port.server): Promise<FramesClient> {
    const socket = connect({ port: server.address.port, host: "127.0.0.1", noDelay: true });
    const client = new FramesClient(socket);
    clients.push(client);
    socket.write(framesPreface);
    await once(socket, "data");
    return client;
  }

  send(kind: number, bytes: Uint8Array, timeoutMs = 0, call = ++this.#lastCall): number {
    this.socket.write(Buffer.concat([writeFrameHeader({ length: bytes.length, kind, call, timeoutMs }), bytes]));
    return call;
  }

  async replyTo(call: number): Promise<{ kind: number; bytes: Uint8Array }> {
    for (;;) {
      const reply = this.replies.find((each) => each.call === call && each.kind !== framedReply.goodbye);
      if (reply !== undefined) return reply;
      await new Promise<void>((resolve) => (this.#told = resolve));
    }
  }

  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M["input"]>,
  ): Promise<MessageShape<M["output"]>> {
    const message = toBinary(method.input, create(method.input, input));
    const { kind, bytes } = await this.replyTo(this.send(framedMethods.indexOf(method), message));
    if (kind === framedReply.error) throw errorFromJsonBytes(bytes, undefined, new ConnectError("unreadable"));
    return fromBinary(method.output, bytes) as MessageShape<M["output"]>;
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, "close");
  }
}

const queue = { name: "q", kind: TaskQueueKind.ACTIVITY };
const pollMessage = { worker: { workerId: "w" }, taskQueues: [queue] };
const pollBytes = toBinary(
  WorkerService.method.pollTasks.input,
  create(WorkerService.method.pollTasks.input, pollMessage),
);
const pollKind = framedMethods.indexOf(WorkerService.method.pollTasks);
const oneTask: PollReply = { ...emptyPoll, tasks: [fakeDispatched("a")] };

/** A connection whose AddTasks are answered by `hotCall`, and its two ends. */
async function connectionAnsweredBy(
  hotCall: HotCall,
): Promise<{ readonly socket: Socket; readonly accepted: Socket; readonly close: () => void }> {
  const hotCalls = new Map([["/tq.v1.TaskService/AddTasks", hotCall]]);
  const routes = routesByPath((router) => router.service(TaskService, {}), hotCalls);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  new FramedConnection(accepted, routes, () => undefined, 60_000);
  const close = (): void => {
    // First: what it still has to write would fail once the other end is gone.
    accepted.destroy();
    socket.destroy();
    server.close();
  };
  return { socket, accepted, close };
}

describe("calls in frames", () => {
  it("add, poll and answer tasks", async () => {
    const client = await FramesClient.open();
    const text = "ä".repeat(100_000);
    const added = await client.call(TaskService.method.addTasks, {
      tasks: [{ id: "a", taskQueue: queue, type: "t", input: [{ body: { case: "text", value: text } }] }],
    });
    expect(added.tasks).toMatchObject([{ id: "a", run: 1 }]);
    const { input } = port.matching.adds.at(-1)!.tasks[0]!;
    port.matching.onPoll = () => Promise.resolve({ ...emptyPoll, tasks: [fakeDispatched("a", { input })] });
    const { tasks } = await client.call(WorkerService.method.pollTasks, pollMessage);
    expect(tasks[0]?.input[0]?.body).toEqual({ case: "text", value: text });
    const answer = { case: "completed", value: {} } as const;
    const { statuses } = await client.call(WorkerService.method.respondTasks, {
      answers: [{ token: tasks[0]!.token, answer }],
    });
    expect(statuses[0]?.result).toBe(AnswerResult.ACCEPTED);
  });

  it("go on while others wait on the same connection, which each reply finds its way back from", async () => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    const waiting = client.send(pollKind, pollBytes);
    const { answer } = await held;
    const added = await client.call(TaskService.method.addTasks, { tasks: [{ taskQueue: queue, type: "t", id: "b" }] });
    expect(added.tasks).toMatchObject([{ id: "b" }]);
    expect(client.replies.map(({ call }) => call)).not.toContain(waiting);
    answer(oneTask);
    expect((await client.replyTo(waiting)).kind).toBe(framedReply.message);
  });

  it("are refused with the details that they have over HTTP", async () => {
    const client = await FramesClient.open();
    expect(await refusalOf(client.call(TaskService.method.addTasks, { tasks: [{}] }))).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      fields: ["tasks[0].task_queue", "tasks[0].type"],
    });
  });

  it("are carried out by Connect where they are out of the ordinary, or no protobuf", async () => {
    const client = await FramesClient.open();
    const { bytes, kind } = await client.replyTo(client.send(0, Buffer.from("\u0007\u0007"), 5_000));
    expect(kind).toBe(framedReply.error);
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ code: "invalid_argument" });
    const request = create(TaskService.method.addTasks.input, { tasks: [{ taskQueue: queue, type: "t", id: "c" }] });
    // A field of a newer version, which only Connect reads over.
    request.$unknown = [{ no: 5_000, wireType: 0, data: new Uint8Array([1]) }];
    const reply = await client.replyTo(client.send(0, toBinary(TaskService.method.addTasks.input, request), 5_000));
    expect(reply.kind).toBe(framedReply.message);
    expect(fromBinary(TaskService.method.addTasks.output, reply.bytes).tasks).toMatchObject([{ id: "c" }]);
    expect(port.incidents).toEqual([]);
  });

  it("that there are none of are said to be unknown", async () => {
    const client = await FramesClient.open();
    const { bytes, kind } = await client.replyTo(client.send(77, new Uint8Array()));
    expect(kind).toBe(framedReply.error);
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ code: "unimplemented" });
  });

  it("come in any pieces, after a preface that does", async () => {
    const socket = connect({ port: port.server.address.port, host: "127.0.0.1", noDelay: true });
    const header = writeFrameHeader({ length: 0, kind: 77, call: 9, timeoutMs: 0 });
    let got = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => (got = Buffer.concat([got, bytes])));
    for (const byte of Buffer.concat([framesPreface, header])) {
      await new Promise<void>((written) => void socket.write(Buffer.of(byte), () => written()));
    }
    await vi.waitFor(() => expect(got.toString()).toContain("unimplemented"));
    expect(got.readUInt32BE(framesAccepted.length + 8)).toBe(9);
    socket.destroy();
  });

  it("are held no longer than their callers wait", async () => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    client.send(pollKind, pollBytes, 20_000);
    const patient = (await held).call.waitMs;
    const longer = holdNextPoll(port.matching);
    client.send(pollKind, pollBytes);
    const unlimited = (await longer).call.waitMs;
    expect(patient).toBeLessThan(20_000);
    expect(unlimited).toBeGreaterThan(20_000);
  });

  it.each([
    [
      "is longer than any may be",
      (client: FramesClient) =>
        client.socket.write(writeFrameHeader({ length: framedCallBytes + 1, kind: 0, call: 1, timeoutMs: 0 })),
    ],
    [
      "has a number that another has",
      (client: FramesClient) => [client.send(pollKind, pollBytes, 0, 5), client.send(pollKind, pollBytes, 0, 5)],
    ],
    [
      "is one too many",
      (client: FramesClient) => Array.from({ length: framedCallsAtOnce + 1 }, () => client.send(pollKind, pollBytes)),
    ],
  ])("one that %s ends the connection, and no other", async (_why, send) => {
    port.matching.onPoll = () => new Promise(() => undefined);
    const [other, client] = [await FramesClient.open(), await FramesClient.open()];
    send(client);
    await client.closed();
    const added = await other.call(TaskService.method.addTasks, { tasks: [{ taskQueue: queue, type: "t", id: "d" }] });
    expect(added.tasks).toHaveLength(1);
  });
});

describe("a call whose caller leaves", () => {
  it.each([
    ["by a cancel", (client: FramesClient, call: number) => void client.send(framedCancel, new Uint8Array(), 0, call)],
    ["with its connection", (client: FramesClient) => void client.socket.destroy()],
  ])("is aborted, and its answer is known to be undelivered: %s", async (_how, leave) => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    const number = client.send(pollKind, pollBytes);
    const { call, answer, undelivered } = await held;
    const aborted = new Promise<void>((resolve) => call.signal.addEventListener("abort", resolve));
    leave(client, number);
    await aborted;
    expect(call.signal.aborted).toBe(true);
    answer(oneTask);
    await vi.waitFor(() => expect(undelivered).toHaveBeenCalledTimes(1));
    expect(port.incidents).toEqual([]);
  });

  it("by a cancel gets no reply, and the connection goes on", async () => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    const number = client.send(pollKind, pollBytes);
    const { answer } = await held;
    client.send(framedCancel, new Uint8Array(), 0, number);
    // Of a call that is none.
    client.send(framedCancel, new Uint8Array(), 0, 1_000_000);
    await client.call(TaskService.method.addTasks, { tasks: [{ taskQueue: queue, type: "t" }] });
    answer(oneTask);
    await client.call(TaskService.method.addTasks, { tasks: [{ taskQueue: queue, type: "t" }] });
    expect(client.replies.map(({ call }) => call)).not.toContain(number);
  });

  it("has its answer delivered if it stays", async () => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    const number = client.send(pollKind, pollBytes);
    const { answer, undelivered } = await held;
    answer(oneTask);
    await client.replyTo(number);
    client.socket.destroy();
    await port.server.stop(0);
    expect(undelivered).not.toHaveBeenCalled();
  });
});

describe("a reply that cannot be written", () => {
  it("is reported, and its caller told under which number", async () => {
    const incidents: Incident[] = [];
    const broken = new NetServer({
      host: "127.0.0.1",
      port: 0,
      routes: (router) => router.service(TaskService, {}),
      hotCalls: new Map([
        // No frame has such a length.
        ["/tq.v1.TaskService/AddTasks", async () => Promise.resolve({ length: -1 } as unknown as Uint8Array)],
      ]),
      report: (incident) => void incidents.push(incident),
    });
    await broken.start();
    const client = await FramesClient.open(broken);
    const { kind, bytes } = await client.replyTo(client.send(0, new Uint8Array()));
    expect(kind).toBe(framedReply.error);
    expect(incidents).toMatchObject([{ call: "tq.v1.TaskService/AddTasks", cause: expect.any(Error) as Error }]);
    expect(Buffer.from(bytes).toString()).toContain(incidents[0]!.id);
    await broken.stop(0);
  });
});

describe("a connection for frames", () => {
  it("is kept while it has a call, and closed once it has had none for a while", async () => {
    const called = Promise.withResolvers<void>();
    const reply = Promise.withResolvers<Uint8Array>();
    const hotCall = (): Promise<Uint8Array> => {
      called.resolve();
      return reply.promise;
    };
    const { socket, accepted, close } = await connectionAnsweredBy(hotCall);
    socket.write(writeFrameHeader({ length: 0, kind: 0, call: 1, timeoutMs: 0 }));
    await called.promise;
    expect(accepted.timeout).toBe(60_000);
    accepted.emit("timeout");
    expect(accepted.destroyed).toBe(false);
    reply.resolve(new Uint8Array());
    // Until the promises behind the reply have come to their end.
    await new Promise((resolve) => setImmediate(resolve));
    accepted.emit("timeout");
    socket.resume();
    await once(socket, "close");
    close();
  });
});

describe("a client that does not read its replies", () => {
  it("gets no more of its calls carried out, until it does", async () => {
    let calls = 0;
    const hotCall = async (): Promise<Uint8Array> => {
      calls++;
      return new Uint8Array(20_000);
    };
    const { socket, accepted, close } = await connectionAnsweredBy(hotCall);
    const [total, length] = [2_000, 16_000];
    for (let i = 0; i < total; i++)
      socket.write(
        Buffer.concat([writeFrameHeader({ length, kind: 0, call: i, timeoutMs: 0 }), new Uint8Array(length)]),
      );
    await vi.waitFor(() => expect(accepted.isPaused()).toBe(true));
    expect(calls).toBeLessThan(total);
    let replies = 0;
    const reader = new FrameReader(20_000, () => replies++);
    let accept: number = framesAccepted.length;
    socket.on("data", (bytes: Buffer) => {
      const skipped = Math.min(accept, bytes.length);
      accept -= skipped;
      reader.read(bytes.subarray(skipped));
    });
    await vi.waitFor(() => expect(replies).toBe(total), 10_000);
    close();
  });
});

describe("a small call that comes with a large one", () => {
  it("does not hold on to its bytes", async () => {
    const requests: Uint8Array[] = [];
    const hotCall = async (bytes: Uint8Array): Promise<Uint8Array> => {
      requests.push(bytes);
      return new Uint8Array();
    };
    const { accepted, close } = await connectionAnsweredBy(hotCall);
    const frames = [50_000, 3].map((length, call) =>
      Buffer.concat([writeFrameHeader({ length, kind: 0, call, timeoutMs: 0 }), new Uint8Array(length).fill(7)]),
    );
    // As one read.
    accepted.emit("data", Buffer.concat(frames));
    expect(requests.map(({ length }) => length)).toEqual([50_000, 3]);
    expect(requests[1]).toEqual(Buffer.from([7, 7, 7]));
    expect(requests[1]!.buffer.byteLength).toBe(3);
    close();
  });
});

describe("a client that has large calls under way", () => {
  it("has no more of them read than the server holds at once, until enough are answered", async () => {
    const held: (() => void)[] = [];
    const add = (): Promise<Uint8Array> => new Promise((resolve) => held.push(() => resolve(new Uint8Array())));
    const { socket, accepted, close } = await connectionAnsweredBy(add);
    socket.resume();
    let call = 0;
    const send = (length: number): void => {
      socket.write(writeFrameHeader({ length, kind: 0, call: ++call, timeoutMs: 0 }));
      socket.write(new Uint8Array(length));
    };
    const most = framedBytesAtOnce / framedCallBytes;
    const isHeld = (calls: number): Promise<void> => vi.waitFor(() => expect(held).toHaveLength(calls), 10_000);
    send(1);
    for (let i = 0; i < most + 2; i++) send(framedCallBytes);
    await isHeld(1 + most);
    expect(accepted.isPaused()).toBe(true);
    // Not enough.
    held[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(accepted.isPaused()).toBe(true);
    held[1]?.();
    await isHeld(1 + most + 1);
    expect(accepted.isPaused()).toBe(true);
    for (const answer of held) answer();
    await isHeld(1 + most + 2);
    expect(accepted.isPaused()).toBe(false);
    close();
  });
});

describe("a connection whose other end is closed", () => {
  it("takes no answer for delivered, though its own end is not closed yet", () => {
    const undelivered = vi.fn();
    const call = new FramedCall({ writable: false, destroyed: false } as Socket, 0, 0);
    call.delivery.onUndelivered(() => void undelivered());
    expect(call.handOver()).toBe(false);
    expect(undelivered).toHaveBeenCalledTimes(1);
  });

  it("has nothing of it carried out any more", async () => {
    const client = await FramesClient.open();
    port.matching.onPoll = () => new Promise(() => undefined);
    const add = toBinary(
      TaskService.method.addTasks.input,
      create(TaskService.method.addTasks.input, { tasks: [{ taskQueue: queue, type: "t" }] }),
    );
    const frames = [
      [pollKind, pollBytes, 5],
      [pollKind, pollBytes, 5],
      [0, add, 6],
    ] as const;
    client.socket.write(
      Buffer.concat(
        frames.flatMap(([kind, bytes, call]) => [
          writeFrameHeader({ length: bytes.length, kind, call, timeoutMs: 0 }),
          bytes,
        ]),
      ),
    );
    await client.closed();
    expect(port.matching.adds).toEqual([]);
  });
});

describe("stop", () => {
  it("says goodbye, answers what is under way and what still comes, and closes then", async () => {
    const [busy, idle] = [await FramesClient.open(), await FramesClient.open()];
    const held = holdNextPoll(port.matching);
    const waiting = busy.send(pollKind, pollBytes);
    const { answer } = await held;
    let stopped = false;
    const stopping = port.server.stop(60_000).then(() => (stopped = true));
    await idle.closed();
    expect(idle.replies.map(({ kind }) => kind)).toEqual([framedReply.goodbye]);
    await busy.call(TaskService.method.addTasks, { tasks: [{ taskQueue: queue, type: "t" }] });
    expect([stopped, busy.socket.destroyed]).toEqual([false, false]);
    answer(oneTask);
    expect((await busy.replyTo(waiting)).kind).toBe(framedReply.message);
    expect(busy.replies.map(({ kind }) => kind)).toContain(framedReply.goodbye);
    await Promise.all([busy.closed(), stopping]);
  });

  it("cuts off what is still under way after the grace time", async () => {
    const client = await FramesClient.open();
    const held = holdNextPoll(port.matching);
    client.send(pollKind, pollBytes);
    const { undelivered } = await held;
    await port.server.stop(1);
    await client.closed();
    await vi.waitFor(() => expect(undelivered).toHaveBeenCalledTimes(1));
  });
});
