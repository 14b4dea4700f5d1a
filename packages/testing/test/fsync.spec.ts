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

/** What of the replies is read. */
interface Reply {
  readonly tasks?: readonly { readonly token: string }[];
}

/** A system call of the server. */
interface SystemCall {
  readonly name: string;
  /** What it was given, and what it answered if that is in one line. */
  readonly text: string;
  /** Lines of the trace. */
  readonly began: number;
  readonly ended: number;
}

/** What was traced, in the order in which it began. Calls of other threads may come between its beginning and its end. */
function readTrace(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { readonly name: string; readonly text: string; readonly began: number }>();
  for (const [i, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begun = unfinished.get(thread);
    const [, name = "", text = ""] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    if (begun !== undefined && rest.startsWith(`<... ${begun.name} resumed>`)) {
      unfinished.delete(thread);
      calls.push({ ...begun, text: begun.text + rest, ended: i });
    } else if (rest.endsWith("<unfinished ...>")) unfinished.set(thread, { name, text, began: i });
    else if (name !== "") calls.push({ name, text, began: i, ended: i });
  }
  return calls.sort((one, other) => one.began - other.began);
}

// Needs strace (Debian: apt-get install strace); CI installs it.
test.skipIf(!hasStrace)("each acknowledgement follows a write that is on disk", { timeout: 60_000 }, async () => {
  folder = mkdtempSync(join(tmpdir(), "tq-strace-"));
  const trace = join(folder, "trace");
  const strace = [
    "strace",
    // The tracer is a process of its own, so that the child is the server and gets its signals.
    "-D",
    "-f",
    "-y",
    "-s",
    "65536",
    "-o",
    trace,
    "-e",
    "trace=openat,fdatasync,fsync,write,writev,pwrite64,pwritev,sendto,sendmsg",
  ];
  server = new ServerProcess(await freePort(), strace);
  await server.start();
  /** For each call in turn what the journal has of it before it is answered. Undefined: nothing is asked of it. */
  const named: (string | undefined)[] = [];
  const call = async (method: string, name: string | undefined, message: object): Promise<Reply> => {
    named.push(name);
    const response = await fetch(`${server?.url}/tq.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
    expect(response.status).toBe(200);
    return (await response.json()) as Reply;
  };
  const taskQueue = { name: "q", kind: "TASK_QUEUE_KIND_ACTIVITY" };
  for (let n = 0; n < 20; n++) {
    await call("TaskService/AddTasks", `acknowledged-${n}`, {
      tasks: [{ id: `acknowledged-${n}`, taskQueue, type: "t" }],
    });
  }
  const completed = (token: string, n: number): object => ({ token, completed: { result: { text: `answered-${n}` } } });
  for (let n = 0; n < 20; n += 2) {
    const poll = { worker: { workerId: "w" }, taskQueues: [taskQueue], maxTasks: 2 };
    const { tasks } = await call("WorkerService/PollTasks", undefined, poll);
    const [one = "", other = ""] = tasks?.map(({ token }) => token) ?? [];
    await call("WorkerService/RespondTasks", `answered-${n}`, { workerId: "w", answers: [completed(one, n)] });
    // One that a poll brings along, of a queue in which there is nothing.
    const answers = [completed(other, n + 1)];
    const taskQueues = [{ ...taskQueue, name: "empty" }];
    await call("WorkerService/PollTasks", `answered-${n + 1}`, { ...poll, taskQueues, wait: "0s", answers });
  }
  expect(await server.stop()).toBe(0);
  await expect.poll(() => readFileSync(trace, "utf8"), { timeout: 10_000 }).toMatch(/exited with 0 \+\+\+\n$/);

  const calls = readTrace(readFileSync(trace, "utf8"));
  /** The files of which a write is on disk when it ends. */
  const synced = new Set(
    calls.filter(({ name, text }) => name === "openat" && text.includes("O_DSYNC")).flatMap(({ text }) => fileOf(text)),
  );
  // One call at a time: their replies go out in their order.
  const replies = calls.filter(({ name, text }) => /^(write|send)/.test(name) && text.includes("HTTP/1.1 200"));
  expect(replies.length).toBe(named.length);
  for (const [i, id] of named.entries()) {
    const acknowledged = replies[i];
    if (id === undefined) continue;
    // The reply to an add names its task.
    if (acknowledged === undefined || (id.startsWith("acknowledged") && !hasId(acknowledged.text, id))) {
      throw new Error(`${id} was not acknowledged`);
    }
    const logged = calls.filter(
      ({ name, text }) => name.startsWith("pwrite") && text.includes("tq.db-log.") && hasId(text, id),
    );
    expect([id, logged.length > 0]).toEqual([id, true]);
    const isOnDisk = logged.some(({ text, ended }) =>
      fileOf(text).some((file) => {
        const onDisk = synced.has(file)
          ? ended
          : calls.find(
              (sync) => /^f(data)?sync$/.test(sync.name) && fileOf(sync.text)[0] === file && sync.began > ended,
            )?.ended;
        return onDisk !== undefined && onDisk < acknowledged.began;
      }),
    );
    expect([id, isOnDisk]).toEqual([id, true]);
  }
});

/** The file that is open as what a call was given, or has opened. */
function fileOf(text: string): string[] {
  const file = /\d+<(?<path>[^>]*tq\.db-log\.\d+\.[01])>/.exec(text)?.groups?.["path"];
  return file === undefined ? [] : [file];
}

function hasId(text: string, id: string): boolean {
  return new RegExp(`${id}(?![0-9])`).test(text);
}
