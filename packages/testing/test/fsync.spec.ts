import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";

const hasStrace = (() => {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

let server: ServerProcess | undefined;
let folder: string | undefined;
afterEach(async () => {
  await server?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** A system call of the server, in the order in which they began. */
interface SystemCall {
  readonly name: string;
  readonly text: string;
}

// Needs strace (Debian: apt-get install strace); CI installs it.
test.skipIf(!hasStrace)("an fsync of the log precedes each acknowledgement", { timeout: 60_000 }, async () => {
  folder = mkdtempSync(join(tmpdir(), "tq-strace-"));
  const trace = join(folder, "trace");
  const strace = [
    "strace",
    // The tracer is a process of its own, so that the child is the server and gets its signals.
    "-D",
    "-f",
    "-y",
    "-s",
    "4096",
    "-o",
    trace,
    "-e",
    "trace=fdatasync,fsync,write,writev,pwrite64,sendto,sendmsg",
  ];
  server = new ServerProcess(await freePort(), strace);
  await server.start();
  const adds = 20;
  for (let n = 0; n < adds; n++) {
    const response = await fetch(`${server.url}/tq.v1.TaskService/AddTasks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        tasks: [{ id: `acknowledged-${n}`, taskQueue: { name: "q", kind: "TASK_QUEUE_KIND_ACTIVITY" }, type: "t" }],
      }),
    });
    expect(response.status).toBe(200);
  }
  expect(await server.stop()).toBe(0);
  await expect.poll(() => readFileSync(trace, "utf8"), { timeout: 10_000 }).toMatch(/exited with 0 \+\+\+\n$/);

  const calls = readFileSync(trace, "utf8")
    .split("\n")
    .map((line) => /^\d+ +(?<name>\w+)\((?<text>.*)$/.exec(line)?.groups as SystemCall | undefined)
    .filter((call) => call !== undefined);
  for (let n = 0; n < adds; n++) {
    const id = `acknowledged-${n}"`.slice(0, -1);
    const logged = calls.findIndex(
      ({ name, text }) => name === "pwrite64" && text.includes("-wal>") && hasId(text, id),
    );
    const acknowledged = calls.findIndex(
      ({ name, text }) => name.startsWith("write") && text.includes("HTTP/1.1 200") && hasId(text, id),
    );
    expect([id, logged]).not.toEqual([id, -1]);
    expect([id, acknowledged]).not.toEqual([id, -1]);
    const syncs = calls
      .slice(logged, acknowledged)
      .filter(({ name, text }) => /^f(data)?sync$/.test(name) && text.includes("-wal>"));
    expect([id, syncs.length > 0]).toEqual([id, true]);
  }
});

function hasId(text: string, id: string): boolean {
  return new RegExp(`${id}(?![0-9])`).test(text);
}
