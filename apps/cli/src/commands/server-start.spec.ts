import { resolve } from "node:path";
import { type Server, StoreError } from "@tq/matching";
import { expect, test } from "vitest";
import { parsed, startTq, tq } from "../../test/tq.ts";
import type { ServerModule } from "./server-module.ts";

/** A server that does what it is told, when it is told. */
function fakeServer(start: () => Promise<void> = () => Promise.resolve()) {
  const closed = Promise.withResolvers<Error | undefined>();
  const stopped = Promise.withResolvers<void>();
  const calls: string[] = [];
  const made: unknown[] = [];
  const server: Server = {
    start: () => (calls.push("start"), start()),
    stop: () => (calls.push("stop"), stopped.promise),
    closed: closed.promise,
    url: "http://127.0.0.1:7441",
    dataFile: "/data/tq.db",
    routes: () => {},
    hotCalls: new Map(),
  };
  const module: ServerModule = {
    createServer: (options) => (made.push(options), server),
    lineLogger: () => ({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }),
  };
  return { module, calls, made, closed, stopped };
}

/** A running `tq server start`, once it has said that it listens. */
async function started(fake: ReturnType<typeof fakeServer>, argv: readonly string[] = []) {
  const running = startTq(["server", "start", "--data", "/data", ...argv], { server: fake.module });
  await expect.poll(running.stderr).toContain("Stop it:");
  return running;
}

test("parses its options, and has a default for each", async () => {
  expect((await parsed(["server", "start"])).options).toEqual({
    listen: { host: "127.0.0.1", port: 7333 },
    data: ".tq",
    log: "text",
    shutdownGrace: 10_000,
  });
  const argv = ["--listen", "[::1]:0", "--data", "/d", "--log", "json", "--shutdown-grace", "1m"];
  expect((await parsed(["server", "start", ...argv])).options).toEqual({
    listen: { host: "::1", port: 0 },
    data: "/d",
    log: "json",
    shutdownGrace: 60_000,
  });
});

test.each(["7333", "localhost", "a:70000", ":7333", "::1:7333"])("refuses to listen on %j", async (listen) => {
  const { code, stderr } = await tq(["server", "start", "--listen", listen]);
  expect(stderr).toContain("Write it like 127.0.0.1:7333 or [::1]:7333.");
  expect(code).toBe(2);
});

test("says where it listens, where its data is and what to type, and exits 0 when it was stopped", async () => {
  const fake = fakeServer();
  const running = await started(fake);
  expect(running.stdout()).toBe("tq listens on 127.0.0.1:7441\nIts data is in /data\n");
  expect(running.stderr()).toBe(
    `Add a task:      tq --address 127.0.0.1:7441 task add demo greet '"world"'\n` +
      "See the queues:  tq --address 127.0.0.1:7441 queue ls\n" +
      "Stop it:         Ctrl-C\n",
  );
  expect(fake.made).toMatchObject([
    { host: "127.0.0.1", port: 7333, dataDir: resolve("/data"), shutdownGraceMs: 10_000 },
  ]);
  // Nobody reads its output any more: no reason to stop.
  running.interrupt("output-closed");
  expect(fake.calls).toEqual(["start"]);
  running.interrupt("SIGTERM");
  await expect.poll(() => fake.calls).toEqual(["start", "stop"]);
  fake.stopped.resolve();
  expect((await running.ended).code).toBe(0);
});

test("says it as JSON too, and warns of an address that others can reach", async () => {
  const fake = fakeServer();
  const running = startTq(["server", "start", "-o", "json", "--data", "/data"], { server: fake.module });
  await expect.poll(running.stdout).not.toBe("");
  expect(JSON.parse(running.stdout())).toEqual({
    address: "127.0.0.1:7441",
    url: "http://127.0.0.1:7441",
    dataFile: "/data/tq.db",
  });
  const open = await started(fakeServer(), ["--listen", "0.0.0.0:7441"]);
  expect(open.stderr()).toContain("tq has no passwords");
});

test("a second signal ends it at once, with 130", async () => {
  const fake = fakeServer();
  const running = await started(fake);
  running.interrupt("SIGINT");
  running.interrupt("SIGINT");
  expect((await running.ended).code).toBe(130);
});

test("a signal while it starts stops it once it has started", async () => {
  const starting = Promise.withResolvers<void>();
  const fake = fakeServer(() => starting.promise);
  const running = startTq(["server", "start"], { server: fake.module });
  await expect.poll(() => fake.calls).toEqual(["start"]);
  running.interrupt("SIGINT");
  expect(fake.calls).toEqual(["start"]);
  starting.resolve();
  fake.stopped.resolve();
  expect(await running.ended).toMatchObject({ code: 0, stdout: "" });
  expect(fake.calls).toEqual(["start", "stop"]);
});

test("exits 1 with the store's own words if it cannot start", async () => {
  const fake = fakeServer(() => Promise.reject(new StoreError("locked", "another server has /data open")));
  expect(await tq(["server", "start"], { server: fake.module })).toEqual({
    code: 1,
    stdout: "",
    stderr: "tq: another server has /data open\n",
  });
});

test("exits 1 if it stops by itself", async () => {
  const fake = fakeServer();
  const running = await started(fake);
  fake.closed.resolve(new Error("the disk is full"));
  expect(await running.ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("The server stopped by itself: the disk is full.") as string,
  });
});
