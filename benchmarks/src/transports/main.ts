/*
 * What a round of a worker costs outside tq: pnpm bench:transports. The bytes of its answers go to a bare server, those of its
 * next tasks come back; two rounds are under way at once, as a worker has two polls.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect, type ClientHttp2Session } from "node:http2";
import { connect as connectSocket } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { FrameReader, FrameWriter } from "@tq/proto/wire";
import { commandLine, numberOf } from "../command-line.ts";
import { usageOf } from "../machine/process-usage.ts";
import { onMessages, type Round } from "./messages.ts";
import type { Ports } from "./server.ts";

const usage = `usage: pnpm bench:transports [OPTION...]
What a worker's round costs before tq does anything: as a call over HTTP, in tq's frames, and in a request that stays open both ways.

  --rounds N  how many of each are measured (default 20000)
  --times N   how often each is measured, in turn (default 3)`;

const { rounds, times } = commandLine(
  usage,
  { rounds: { type: "string", default: "20000" }, times: { type: "string", default: "3" } },
  (values) => ({
    rounds: numberOf("--rounds", values.rounds, { least: 1, isWhole: true }),
    times: numberOf("--times", values.times, { least: 1, isWhole: true }),
  }),
);

/** One round trip. */
type Play = () => Promise<void>;
const atOnce = 2;
/** Answers to fifty tasks and fifty others; and a task alone. */
const sizes: readonly Round[] = [
  { requestBytes: 4_000, replyBytes: 20_000 },
  { requestBytes: 300, replyBytes: 400 },
];

for (const round of sizes) {
  const server = fork(fileURLToPath(new URL("server.js", import.meta.url)), [JSON.stringify(round)]);
  const [ports] = (await once(server, "message")) as [Ports];
  const session = connect(`http://127.0.0.1:${ports.http2}`, { settings: { initialWindowSize: 1024 * 1024 } });
  const ways: readonly (readonly [string, Play[]])[] = [
    ["a call over HTTP/1.1", await each(() => callsOverHttp1(ports, round))],
    ["a call over HTTP/2", await each(() => callsOverHttp2(session, round))],
    ["in frames", await each(() => callsInFrames(ports, round))],
    ["in an open request over HTTP/1.1", await each(() => openOverHttp1(ports, round))],
    ["in an open request over HTTP/2", await each(() => openOverHttp2(session, round))],
  ];
  console.log(
    `${round.requestBytes} bytes there, ${round.replyBytes} back: rounds/s, µs of the server's and the client's processor time`,
  );
  for (let i = 0; i < times; i++) for (const [name, plays] of ways) await measure(name, plays, server.pid ?? 0);
  session.destroy();
  server.disconnect();
}
// Connections are kept alive, and the process with them.
process.exit();

function each(open: () => Promise<Play> | Play): Promise<Play[]> {
  return Promise.all(Array.from({ length: atOnce }, async () => open()));
}

async function measure(name: string, plays: readonly Play[], pid: number): Promise<void> {
  const serverMs = (): number => usageOf(pid)?.cpuMs ?? Number.NaN;
  const [cpuMs, client, sinceMs] = [serverMs(), process.cpuUsage(), performance.now()];
  let left = rounds;
  await Promise.all(
    plays.map(async (play) => {
      while (left-- > 0) await play();
    }),
  );
  const perSecond = (1_000 * rounds) / (performance.now() - sinceMs);
  const { user, system } = process.cpuUsage(client);
  const [ofServer, ofClient] = [(1_000 * (serverMs() - cpuMs)) / rounds, (user + system) / rounds];
  console.log(
    `  ${name.padEnd(34)}${perSecond.toFixed(0).padStart(7)}${ofServer.toFixed(1).padStart(7)}${ofClient.toFixed(1).padStart(7)}`,
  );
}

function callsOverHttp1({ http1 }: Ports, { requestBytes }: Round): Play {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = Buffer.alloc(requestBytes);
  const headers = { "content-type": "application/proto", "content-length": requestBytes };
  return async () => {
    const request = httpRequest({ host: "127.0.0.1", port: http1, path: "/call", method: "POST", agent, headers });
    request.end(body);
    const [response] = (await once(request, "response")) as [Readable];
    await ended(response);
  };
}

function callsOverHttp2(session: ClientHttp2Session, { requestBytes }: Round): Play {
  const body = Buffer.alloc(requestBytes);
  return async () => {
    const stream = session.request({ ":method": "POST", ":path": "/call", "content-type": "application/proto" });
    stream.end(body);
    await ended(stream);
  };
}

async function callsInFrames({ frames }: Ports, { requestBytes }: Round): Promise<Play> {
  const socket = connectSocket({ port: frames, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const body = Buffer.alloc(requestBytes);
  const writer = new FrameWriter(socket);
  let answered = (): void => {};
  const reader = new FrameReader(Number.POSITIVE_INFINITY, () => answered());
  socket.on("data", (bytes: Buffer) => reader.read(bytes));
  return () =>
    new Promise((resolve) => {
      answered = resolve;
      writer.write(0, 1, 0, body);
    });
}

async function openOverHttp1({ http1 }: Ports, round: Round): Promise<Play> {
  const request = httpRequest({ host: "127.0.0.1", port: http1, path: "/stream", method: "POST", agent: new Agent() });
  request.flushHeaders();
  const [response] = (await once(request, "response")) as [Readable];
  return inTurn(response, round, (body) => void request.write(body));
}

async function openOverHttp2(session: ClientHttp2Session, round: Round): Promise<Play> {
  const stream = session.request({ ":method": "POST", ":path": "/stream" });
  await once(stream, "response");
  return inTurn(stream, round, (body) => void stream.write(body));
}

/** Sends a message and awaits the one that answers it, over what stays open. */
function inTurn(source: Readable, { requestBytes, replyBytes }: Round, send: (body: Uint8Array) => void): Play {
  const body = Buffer.alloc(requestBytes);
  let answered = (): void => {};
  onMessages(source, replyBytes, () => answered());
  return () =>
    new Promise((resolve) => {
      answered = resolve;
      send(body);
    });
}

/** Takes a reply in, and resolves at its end. */
function ended(reply: Readable): Promise<unknown> {
  reply.resume();
  return once(reply, "end");
}
