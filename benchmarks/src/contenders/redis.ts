import { join } from "node:path";
import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { commandOf } from "./installed.ts";

const host = "127.0.0.1";

/** Redis with its append-only file, fsynced each second or with each write. */
export async function startRedis(folder: string, fsync: "everysec" | "always"): Promise<StartedServer> {
  const port = await freePort();
  const durable = ["--appendonly", "yes", "--appendfsync", fsync, "--save", ""];
  const server = await ServerProcess.start({
    command: commandOf("redis-server"),
    args: ["--bind", host, "--port", String(port), "--dir", folder, ...durable],
  });
  await server.ready(() => isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: join(folder), stop: () => server.stop() };
}
