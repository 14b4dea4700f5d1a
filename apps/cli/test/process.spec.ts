// The program as a process: exit codes, signals and pipes. Needs dist/, as `pnpm test` makes it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, encodePayload } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { expect, onTestFinished, test } from "vitest";

const program = fileURLToPath(new URL("../bin/tq.js", import.meta.url));

interface TqProcess {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly code: Promise<number | null>;
}

function spawnTq(...argv: string[]): TqProcess {
  const { TQ_ADDRESS: _address, TQ_NAMESPACE: _namespace, ...env } = process.env;
  const child = spawn(process.execPath, [program, ...argv], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  return { child, output, code: once(child, "close").then(([code]) => code as number | null) };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "tq-cli-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A server that has said where it listens. */
async function startServer(dataDir: string): Promise<TqProcess & { address: string }> {
  const server = spawnTq("server", "start", "--listen", "127.0.0.1:0", "--data", dataDir, "-o", "json");
  await expect.poll(() => server.output.stdout, { timeout: 10_000 }).toMatch(/^}$/m);
  const { address } = JSON.parse(server.output.stdout) as { address: string };
  return { ...server, address };
}

test("a server takes a task that other commands see, and exits 0 on SIGTERM", async () => {
  const dataDir = join(folder(), "made", "here");
  const server = await startServer(dataDir);
  expect(existsSync(dataDir)).toBe(true);
  const at = ["--address", server.address];
  const add = spawnTq(...at, "task", "add", "demo", "greet", '"world"', "--id", "t1");
  expect(await add.code).toBe(0);
  expect(add.output).toEqual({ stdout: "t1\n", stderr: "" });
  const get = spawnTq(...at, "task", "get", "t1", "-o", "json");
  expect(await get.code).toBe(0);
  expect(JSON.parse(get.output.stdout)).toMatchObject({ id: "t1", state: "READY", input: ["world"] });

  const second = spawnTq("server", "start", "--listen", "127.0.0.1:0", "--data", dataDir);
  expect(await second.code).toBe(1);
  expect(second.output.stderr).toMatch(/^tq: .*\n$/);
  const samePort = spawnTq("server", "start", "--listen", server.address, "--data", folder());
  expect(await samePort.code).toBe(1);
  expect(samePort.output.stderr).toMatch(/^tq: .*in use.*\n$/);

  server.child.kill("SIGTERM");
  expect(await server.code).toBe(0);
}, 30_000);

test("--wait prints what a worker answers, and exits by it", async () => {
  const { address } = await startServer(folder());
  const client = Client.create({ address });
  onTestFinished(() => client.close());
  const { workers } = client.services;
  const add = async (type: string): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const { code, output } = spawnTq("--address", address, "task", "add", "demo", type, '"world"', "--wait");
    return { code: await code, ...output };
  };
  const [greeted, failed] = [add("greet"), add("fail")];
  for (let answered = 0; answered < 2;) {
    const poll = {
      worker: { workerId: "w1" },
      taskQueues: [{ name: "demo", kind: TaskQueueKind.ACTIVITY }],
      maxTasks: 2,
    };
    const { tasks } = await workers.pollTasks(poll, { timeoutMs: 10_000 });
    answered += tasks.length;
    const answers = tasks.map(({ token, type }) => ({
      token,
      answer:
        type === "greet"
          ? { case: "completed" as const, value: { result: encodePayload({ hello: "world" }) } }
          : { case: "failed" as const, value: { failure: { type: "Boom", message: "no", nonRetryable: true } } },
    }));
    await workers.respondTasks({ workerId: "w1", answers });
  }
  expect(await greeted).toMatchObject({ code: 0, stdout: '{\n  "hello": "world"\n}\n' });
  expect(await failed).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(/\nTask \S+ \(fail\) failed after 1 attempt: Boom: no\n$/) as string,
  });
}, 30_000);

test("a data folder that cannot be made is refused", async () => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  const server = spawnTq("server", "start", "--listen", "127.0.0.1:0", "--data", join(file, "data"));
  expect(await server.code).toBe(1);
  expect(server.output.stderr).toMatch(/^tq: .*data.*\n$/);
});

test("an unreachable server is named", async () => {
  const { code, output } = spawnTq("queue", "ls", "--address", "127.0.0.1:1");
  expect(await code).toBe(1);
  expect(output).toEqual({
    stdout: "",
    stderr: expect.stringMatching(
      /^tq: Cannot reach a tq server at http:\/\/127\.0\.0\.1:1 .*tq server start.*\n$/,
    ) as string,
  });
});

test("an address that is none is wrong usage", async () => {
  const { code, output } = spawnTq("queue", "ls", "--address", "a b");
  expect(await code).toBe(2);
  expect(output.stderr).toMatch(/^tq: address: "a b" is no address.*\n$/);
});

test("Ctrl-C exits 130", async () => {
  // A server that never answers.
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
  });
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const ls = spawnTq("queue", "ls", "--address", `127.0.0.1:${port}`);
  await once(silent, "request");
  ls.child.kill("SIGINT");
  expect(await ls.code).toBe(130);
  expect(ls.output).toEqual({ stdout: "", stderr: "" });
});

test("is quiet when the reader of its output goes", async () => {
  const help = spawnTq("task", "add", "--help");
  help.child.stdout?.destroy();
  expect(await help.code).toBe(0);
  expect(help.output.stderr).toBe("");
});

test.skipIf(!existsSync("/dev/full"))("output that cannot be written is a failure, and says so", async () => {
  const server = await startServer(folder());
  const argv = [program, "--address", server.address, "server", "info"];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", openSync("/dev/full", "w"), "pipe"] });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^tq: cannot write the output: .*ENOSPC.*\n$/)]);
});
