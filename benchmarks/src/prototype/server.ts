/*
 * A bare prototype of adding, polling and completing, as the design's reference figures are of one: calls over HTTP/1.1, tasks
 * in SQLite with an fsync for each commit, and what arrives while a commit is under way in the next one. No leases that end, no
 * retries, types, limits, fairness, counters or ids that are asked for; and SQLite brings its log into the database inside of
 * commits, as it does by itself. Started with its folder; says its port on stdout.
 *
 *   POST /add/QUEUE        payloads; answered once they are on disk
 *   POST /poll/QUEUE/MOST  numbers of tasks that are done; answered with up to MOST tasks, once there is one
 *   POST /stream/QUEUE/MOST  the same in messages of a request that stays open both ways, with up to MOST tasks at a time
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { BareQueue, type Taker } from "./bare-queue.ts";
import { idsOf, inStream, payloadsOf, streamReader, tasksMessage } from "./messages.ts";

/** What a commit makes of a call. */
interface Operation {
  readonly queue: BareQueue;
  readonly run: () => void;
  /** Once it is on disk. */
  readonly afterwards?: () => void;
}

const db = new Database(join(process.argv[2] ?? "", "prototype.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
const begin = db.prepare("begin immediate");
const end = db.prepare("commit");
const queues = new Map<string, BareQueue>();
let waiting: Operation[] = [];

function queueOf(name: string): BareQueue {
  const known = queues.get(name);
  if (known !== undefined) return known;
  const queue = new BareQueue(db, queues.size);
  queues.set(name, queue);
  return queue;
}

function inNextCommit(operation: Operation): void {
  if (waiting.length === 0) setImmediate(commit);
  waiting.push(operation);
}

function commit(): void {
  const operations = waiting;
  waiting = [];
  begin.run();
  for (const { run } of operations) run();
  const touched = new Set(operations.map(({ queue }) => queue));
  const handouts = [...touched].flatMap((queue) => queue.dispatch());
  end.run();
  for (const { taker, tasks } of handouts) taker.send(tasks);
  for (const { afterwards } of operations) afterwards?.();
}

const server = createServer((request, response) => {
  const [, verb, name = "", most] = (request.url ?? "").split("/");
  const queue = queueOf(name);
  if (verb === "stream") stream(queue, Number(most), request, response);
  else
    onBody(request, (body) =>
      verb === "add" ? add(queue, body, response) : poll(queue, Number(most), body, response),
    );
});

function onBody(request: IncomingMessage, onEnd: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => onEnd(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
}

function reply(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, ["content-length", String(body.length)]);
  response.end(body);
}

function add(queue: BareQueue, body: Buffer, response: ServerResponse): void {
  const payloads = payloadsOf(body);
  inNextCommit({ queue, run: () => queue.add(payloads), afterwards: () => reply(response, Buffer.alloc(0)) });
}

function poll(queue: BareQueue, most: number, body: Buffer, response: ServerResponse): void {
  const ids = idsOf(body);
  const taker: Taker = {
    room: most,
    send: (tasks) => {
      queue.leaves(taker);
      reply(response, tasksMessage(tasks));
    },
  };
  response.once("close", () => queue.leaves(taker));
  inNextCommit({
    queue,
    run: () => {
      queue.complete(ids);
      if (!response.destroyed) queue.comes(taker);
    },
  });
}

function stream(queue: BareQueue, most: number, request: IncomingMessage, response: ServerResponse): void {
  response.flushHeaders();
  const taker: Taker = { room: most, send: (tasks) => response.write(inStream(tasksMessage(tasks))) };
  const read = streamReader((message) => {
    const ids = idsOf(message);
    inNextCommit({
      queue,
      run: () => {
        queue.complete(ids);
        taker.room += ids.length;
      },
    });
  });
  request.on("data", read);
  response.once("close", () => queue.leaves(taker));
  inNextCommit({
    queue,
    run: () => {
      if (!response.destroyed) queue.comes(taker);
    },
  });
}

server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(`listening on ${(server.address() as AddressInfo).port}`));
