import { join } from "node:path";
import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { bunFile, peersFolder } from "./peer-packages.ts";

const host = "127.0.0.1";

/** bunqueue's server, under the Bun that was installed beside it. */
export async function startBunqueue(folder: string): Promise<StartedServer> {
  const [port, httpPort] = [await freePort(), await freePort()];
  const file = join(peersFolder, "node_modules", "bunqueue", "dist", "cli", "index.js");
  const listen = ["--host", host, "--tcp-port", String(port), "--http-port", String(httpPort)];
  const server = await ServerProcess.start({
    command: bunFile(),
    args: [file, "start", ...listen, "--data-path", join(folder, "bunqueue.db")],
    cwd: folder,
  });
  await server.ready(() => isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: folder, stop: () => server.stop() };
}
