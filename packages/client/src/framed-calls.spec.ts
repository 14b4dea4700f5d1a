import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  framedCancel,
  framedReply,
  type FrameHeader,
  FrameReader,
  framesAccepted,
  framesPreface,
  FrameWriter,
  writeFrameHeader,
} from "@tq/proto/wire";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FramedCalls } from "./framed-calls.ts";

/** What a server got. */
type Frame = FrameHeader & { readonly bytes: Uint8Array; readonly writer: FrameWriter; readonly socket: Socket };

/** A server of frames that answers by hand. */
class FramesServer {
  readonly server: Server = createServer((socket) => this.#connected(socket));
  readonly frames: Frame[] = [];
  readonly sockets: Socket[] = [];
  onFrame: (frame: Frame) => void = () => undefined;
  /** What it says first. */
  greeting: Uint8Array | undefined = framesAccepted;

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}`);
  }

  /** The next frame that comes. */
  next(): Promise<Frame> {
    return new Promise((resolve) => (this.onFrame = resolve));
  }

  #connected(socket: Socket): void {
    this.sockets.push(socket);
    socket.on("error", () => undefined);
    const writer = new FrameWriter(socket);
    const reader = new FrameReader(Number.POSITIVE_INFINITY, (header, bytes) => {
      const frame = { ...header, bytes: Uint8Array.from(bytes), writer, socket };
      this.frames.push(frame);
      this.onFrame(frame);
    });
    socket.once("data", (bytes: Buffer) => {
      expect(bytes.subarray(0, framesPreface.length)).toEqual(framesPreface);
      if (this.greeting !== undefined) socket.write(this.greeting);
      reader.read(bytes.subarray(framesPreface.length));
      socket.on("data", (more: Buffer) => reader.read(more));
    });
  }
}

let server: FramesServer;
let calls: FramedCalls;
const open: FramedCalls[] = [];
beforeEach(async () => {
  server = new FramesServer();
  server.server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  calls = callsTo(server.url);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  for (const socket of server.sockets) socket.destroy();
  server.server.close();
});

function callsTo(url: URL, times?: ConstructorParameters<typeof FramedCalls>[1]): FramedCalls {
  const made = new FramedCalls(url, times);
  open.push(made);
  return made;
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const call = (text: string, more: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
  calls.call({ kind: 1, bytes: bytesOf(text), signal: more.signal, timeoutMs: more.timeoutMs ?? 0 });
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const echo = ({ writer, call: number, bytes }: Frame): void =>
  writer.write(framedReply.message, number, 0, bytesOf(`re: ${text(bytes)}`));

describe("a server that speaks frames", () => {
  test("gets calls with their kind and timeout, and each gets its own reply, whatever their order", async () => {
    const waiting: Frame[] = [];
    server.onFrame = (frame) => {
      waiting.push(frame);
      if (waiting.length === 10) for (const each of waiting.reverse()) echo(each);
    };
    const timeout = (i: number): number => 60_000 * (i + 1);
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => call(`${i}`, { timeoutMs: timeout(i) })));
    expect(replies.map(text)).toEqual(Array.from({ length: 10 }, (_, i) => `re: ${i}`));
    const sent = server.frames.toSorted((a, b) => a.timeoutMs - b.timeoutMs);
    for (const [i, { kind, timeoutMs }] of sent.entries()) {
      expect(kind).toBe(1);
      // What is left of it, once the connection was there.
      expect(timeoutMs).toBeLessThanOrEqual(timeout(i));
      expect(timeoutMs).toBeGreaterThan(timeout(i) - 30_000);
    }
  });

  test("is called over one connection where one call comes after the other, and over four by any number at once", async () => {
    server.onFrame = echo;
    for (let i = 0; i < 3; i++) await call("one");
    expect(server.sockets).toHaveLength(1);
    await Promise.all(Array.from({ length: 100 }, () => call("many")));
    expect(server.sockets).toHaveLength(4);
    const perSocket = server.sockets.map((socket) => server.frames.filter((frame) => frame.socket === socket).length);
    expect(perSocket).toEqual([28, 25, 25, 25]);
  });

  test("refuses a call with a code and a text", async () => {
    const refused = new ConnectError("no room", Code.ResourceExhausted);
    server.onFrame = ({ writer, call: number }) =>
      writer.write(framedReply.error, number, 0, errorToJsonBytes(refused, undefined));
    await expect(call("a")).rejects.toMatchObject({ code: Code.ResourceExhausted, rawMessage: "no room" });
  });

  test("is told of a call that is given up, whose reply is read over", async () => {
    const leaving = new AbortController();
    const first = server.next();
    const given = call("a", { signal: leaving.signal });
    const frame = await first;
    const cancel = server.next();
    leaving.abort(new Error("enough"));
    await expect(given).rejects.toMatchObject({ code: Code.Canceled, rawMessage: "enough" });
    expect(await cancel).toMatchObject({ kind: framedCancel, call: frame.call, length: 0 });
    server.onFrame = (next) => {
      echo(frame);
      echo(next);
    };
    expect(text(await call("b"))).toBe("re: b");
    expect(server.sockets).toHaveLength(1);
  });

  test("that does not answer in time gets the next call over another connection, and goes on with those it has", async () => {
    const first = server.next();
    const patient = call("patient");
    const frame = await first;
    // The same connection: of four that each have a call, it is the first.
    const others = ["x", "y", "z"].map((each) => call(each, { timeoutMs: 60_000 }));
    const late = call("late", { timeoutMs: 1 });
    await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    server.onFrame = echo;
    expect(text(await call("next"))).toBe("re: next");
    expect(server.sockets).toHaveLength(5);
    for (const each of [frame, ...server.frames.filter(({ bytes }) => /[xyz]/.test(text(bytes)))]) echo(each);
    expect(text(await patient)).toBe("re: patient");
    await Promise.all(others);
    // Without a call, it is of no use.
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
    expect(server.sockets.slice(1).map(({ destroyed }) => destroyed)).toEqual([false, false, false, false]);
  });

  test("that says goodbye answers what it has, and the next call opens another connection", async () => {
    const first = server.next();
    const waiting = call("waiting");
    const frame = await first;
    frame.writer.write(framedReply.goodbye, 0, 0, new Uint8Array());
    server.onFrame = echo;
    await vi.waitFor(async () => {
      await call("more");
      expect(server.sockets.length).toBeGreaterThan(1);
      expect(server.frames.at(-1)?.socket).not.toBe(frame.socket);
    });
    echo(frame);
    expect(text(await waiting)).toBe("re: waiting");
    await vi.waitFor(() => expect(frame.socket.destroyed).toBe(true));
  });

  test("whose connection breaks has its calls fail, and the next one opens another", async () => {
    server.onFrame = ({ socket }) => void socket.destroy();
    await expect(call("a")).rejects.toMatchObject({ code: "ECONNRESET" });
    server.onFrame = echo;
    expect(text(await call("b"))).toBe("re: b");
  });

  test("loses a connection that has had no call for a while, and none that has one", async () => {
    calls = callsTo(server.url, { acceptMs: 5_000, keepAliveMs: 5, refusedMs: 60_000 });
    const first = server.next();
    const waiting = call("waiting");
    const frame = await first;
    const gone = once(frame.socket, "close");
    // Those without a call go meanwhile.
    server.onFrame = echo;
    const idle = call("idle");
    await idle;
    await once(server.sockets[1]!, "close");
    expect(frame.socket.destroyed).toBe(false);
    echo(frame);
    expect(text(await waiting)).toBe("re: waiting");
    await gone;
    expect(text(await call("again"))).toBe("re: again");
  });
});

describe("a server that speaks none", () => {
  test("is found out once, by what it says", async () => {
    const http = createHttpServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    let connections = 0;
    http.on("connection", () => connections++);
    calls = callsTo(new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}`));
    expect(await Promise.all([call("a"), call("b")])).toEqual([undefined, undefined]);
    const opened = connections;
    expect(await call("c")).toBeUndefined();
    expect(connections).toBe(opened);
    http.closeAllConnections();
    http.close();
  });

  test("is found out though it says nothing", async () => {
    server.greeting = undefined;
    calls = callsTo(server.url, { acceptMs: 5, keepAliveMs: 60_000, refusedMs: 60_000 });
    expect(await call("a")).toBeUndefined();
    expect(await call("b")).toBeUndefined();
    expect(server.frames).toEqual([]);
    expect(server.sockets).toHaveLength(1);
  });

  test("is one that is not there, and that is asked again", async () => {
    const { url } = server;
    server.server.close();
    await once(server.server, "close");
    expect(await call("a")).toBeUndefined();
    server.server.listen(Number(url.port), "127.0.0.1");
    await once(server.server, "listening");
    server.onFrame = echo;
    expect(text(await call("b"))).toBe("re: b");
  });

  test("is one that hangs up before it has said anything, and that is asked again after a while", async () => {
    calls = callsTo(server.url, { acceptMs: 5_000, keepAliveMs: 60_000, refusedMs: 60_000 });
    server.server.once("connection", (socket: Socket) => void socket.once("data", () => socket.destroy()));
    server.greeting = undefined;
    expect([await call("a"), await call("b")]).toEqual([undefined, undefined]);
    expect(server.sockets).toHaveLength(1);
    calls = callsTo(server.url, { acceptMs: 5_000, keepAliveMs: 60_000, refusedMs: 0 });
    server.server.once("connection", (socket: Socket) => void socket.once("data", () => socket.destroy()));
    expect(await call("a")).toBeUndefined();
    server.greeting = framesAccepted;
    server.onFrame = echo;
    expect(text(await call("b"))).toBe("re: b");
  });
});

test("a reply that cannot be read fails its call, and no other", async () => {
  server.onFrame = ({ writer, call: number, bytes }) => {
    const [kind, body] = text(bytes) === "kind" ? [7, ""] : [framedReply.error, "no JSON"];
    writer.write(kind, number, 0, bytesOf(body));
  };
  await expect(call("kind")).rejects.toMatchObject({ code: Code.Unknown });
  await expect(call("body")).rejects.toMatchObject({ code: Code.Unknown });
  server.onFrame = echo;
  expect(text(await call("a"))).toBe("re: a");
  expect(server.sockets).toHaveLength(1);
});

test("a reply of a length that none has breaks the connection", async () => {
  server.onFrame = ({ socket, call: number }) =>
    void socket.write(writeFrameHeader({ length: 0xffff_ffff, kind: 0, call: number, timeoutMs: 0 }));
  await expect(call("a")).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("calls that were given up before the server had spoken are never sent", async () => {
  server.greeting = undefined;
  const leaving = new AbortController();
  const given = call("a", { signal: leaving.signal });
  await vi.waitFor(() => expect(server.sockets).toHaveLength(1));
  const kept = call("b");
  leaving.abort();
  await expect(given).rejects.toMatchObject({ code: Code.Canceled });
  for (const socket of server.sockets) socket.write(framesAccepted);
  server.onFrame = echo;
  server.greeting = framesAccepted;
  expect(text(await kept)).toBe("re: b");
  expect(server.frames.map(({ bytes }) => text(bytes))).toEqual(["b"]);
});

test("closing fails what is under way, closes every connection, and nothing is called any more", async () => {
  const arrived = server.next();
  const waiting = call("a");
  const failed = waiting.catch((error: unknown) => error);
  const { socket } = await arrived;
  const gone = once(socket, "close");
  await Promise.all([calls.close(), calls.close()]);
  expect(await failed).toMatchObject({ code: "ECONNRESET" });
  await gone;
  expect(await call("b")).toBeUndefined();
  await calls.close();
});
