import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import { join } from "node:path";
import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { commandOf } from "./installed.ts";

const host = "127.0.0.1";

/** PostgreSQL with its defaults, which fsync each commit, and 512 MiB of buffers. */
export async function startPostgres(folder: string): Promise<StartedServer> {
  const port = await freePort();
  const runAs = ordinaryUser();
  if (runAs !== undefined) chownSync(folder, runAs.uid, runAs.gid);
  const data = join(folder, "data");
  // Its data need not survive the making.
  execFileSync(commandOf("initdb"), ["-A", "trust", "-U", "postgres", "--no-sync", "-D", data], {
    stdio: "pipe",
    cwd: folder,
    ...runAs,
  });
  const settings = { shared_buffers: "512MB", max_connections: "200", fsync: "on", synchronous_commit: "on" };
  const server = await ServerProcess.start({
    command: commandOf("postgres"),
    args: ["-D", data, "-p", String(port), "-h", host, "-k", folder].concat(
      Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ),
    cwd: folder,
    // A fast shutdown: it waits for no client, and leaves no shared memory.
    stopSignal: "SIGINT",
    ...(runAs !== undefined && { runAs }),
  });
  await server.ready((output) => output.includes("ready to accept connections") && isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: data, stop: () => server.stop() };
}

/** PostgreSQL refuses to run as root; Debian's package makes a user for it. */
function ordinaryUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
