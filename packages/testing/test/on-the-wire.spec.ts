import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "@tq/client";
import { Worker } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function started(): Promise<ServerProcess> {
  const server = new ServerProcess(await freePort());
  cleanUps.push(() => server.remove());
  await server.start();
  return server;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Passes on to a server what is said to it, and shows each connection. */
function passingOn(url: string, onConnection: (socket: Socket) => void): Server {
  return createServer((socket) => {
    const onwards = connect(Number(new URL(url).port), "127.0.0.1");
    onConnection(socket);
    socket.pipe(onwards).pipe(socket);
    socket.on("error", () => onwards.destroy());
    onwards.on("error", () => socket.destroy());
  });
}

/** Adds tasks of 10 to 300,000 bytes, runs them in a worker, and takes their results. */
async function workThrough(address: string): Promise<void> {
  const client = Client.create({ address });
  const worker = await Worker.create({
    client,
    taskQueue: "q",
    activities: { twice: async (text: string) => text + text },
  });
  const running = worker.run();
  const texts = Array.from({ length: 40 }, (_, i) => String(i % 10).repeat(i % 20 === 0 ? 150_000 : 10));
  const results = texts.map(async (text) => {
    const handle = await client.tasks.add({ taskQueue: "q", type: "twice", args: [text] });
    return handle.result();
  });
  expect(await Promise.all(results)).toEqual(texts.map((text) => text + text));
  worker.shutdown();
  await running;
  await client.close();
}

test("the calls of a process with many polls share a few connections", { timeout: 30_000 }, async () => {
  const { url } = await started();
  let open = 0;
  let most = 0;
  const proxy = passingOn(url, (socket) => {
    most = Math.max(most, ++open);
    socket.on("close", () => open--);
  });
  const client = Client.create({ address: `127.0.0.1:${await listening(proxy)}` });
  const { operator, workers } = client.services;
  const leaving = new AbortController();
  const given: string[] = [];
  const polls = Array.from({ length: 500 }, async (_, i) =>
    workers
      .pollTasks(
        { worker: { workerId: `w${i}` }, taskQueues: [{ name: "q", kind: 1 }] },
        { signal: leaving.signal, timeoutMs: 60_000 },
      )
      .then(({ tasks }) => void given.push(...tasks.map(({ id }) => id))),
  );
  await expect.poll(async () => (await operator.getServerInfo({})).waitingPolls).toBe(500);
  // With those over which it is asked how many wait.
  expect(most).toBeLessThan(10);
  const handles = await client.tasks.addMany(
    Array.from({ length: 400 }, (_, i) => ({ id: `t${i}`, taskQueue: "q", type: "t" })),
  );
  await expect.poll(() => given.toSorted()).toEqual(handles.map(({ id }) => id).toSorted());
  expect((await operator.getServerInfo({})).waitingPolls).toBe(100);
  leaving.abort();
  const ends = await Promise.allSettled(polls);
  expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(100);
  await expect.poll(async () => (await operator.getServerInfo({})).waitingPolls).toBe(0);
  expect(most).toBeLessThan(10);
  await client.close();
  await expect.poll(() => open).toBe(0);
});

test("adding, polling and answering need no HTTP", { timeout: 30_000 }, async () => {
  const { url } = await started();
  const said: string[] = [];
  const proxy = passingOn(url, (socket) => {
    socket.on("data", (bytes: Buffer) => said.push(bytes.toString("latin1")));
  });
  await workThrough(`127.0.0.1:${await listening(proxy)}`);
  const paths = said.flatMap((text) => [...text.matchAll(/POST \/tq\.v1\.\w+\/(\w+)/g)].map(([, name]) => name));
  expect(paths).toContain("GetTasks");
  for (const name of ["AddTasks", "PollTasks", "RespondTasks"]) expect(paths).not.toContain(name);
});

test("a process that is done ends, though its client is not closed", { timeout: 30_000 }, async () => {
  const { url } = await started();
  const program = `
    const { Client } = await import("@tq/client");
    const client = Client.create({ address: process.argv[1] });
    await client.tasks.add({ taskQueue: "q", type: "t", id: "a" });
    console.log("added");
  `;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program, url], {
    cwd,
  });
  expect(stdout).toBe("added\n");
});

test("where a proxy that knows HTTP alone is in between, everything goes over HTTP", { timeout: 30_000 }, async () => {
  const { url } = await started();
  const { port } = new URL(url);
  const paths = new Set<string>();
  const proxy = createHttpServer((incoming, outgoing) => {
    paths.add(incoming.url ?? "");
    const { method, headers, url: path } = incoming;
    const onwards = httpRequest({ host: "127.0.0.1", port, method, headers, path }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(outgoing);
    });
    onwards.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onwards.destroy());
    incoming.pipe(onwards);
  });
  await workThrough(`127.0.0.1:${await listening(proxy)}`);
  expect([...paths]).toEqual(expect.arrayContaining(["/tq.v1.TaskService/AddTasks", "/tq.v1.WorkerService/PollTasks"]));
});
