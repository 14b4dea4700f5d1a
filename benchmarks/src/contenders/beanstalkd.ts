import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { commandOf } from "./installed.ts";

const host = "127.0.0.1";

/** beanstalkd with its log, fsynced with each write. */
export async function startBeanstalkd(folder: string): Promise<StartedServer> {
  const port = await freePort();
  const server = await ServerProcess.start({
    command: commandOf("beanstalkd"),
    args: ["-l", host, "-p", String(port), "-b", folder, "-f", "0"],
  });
  await server.ready(() => isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: folder, stop: () => server.stop() };
}
