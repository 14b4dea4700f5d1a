import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { commandOf } from "./installed.ts";

const host = "127.0.0.1";

/** NATS with JetStream. Debian's version fsyncs every two minutes and knows no other setting. */
export async function startNats(folder: string): Promise<StartedServer> {
  const port = await freePort();
  const server = await ServerProcess.start({
    command: commandOf("nats-server"),
    args: ["-a", host, "-p", String(port), "-js", "-sd", folder],
  });
  await server.ready(() => isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: folder, stop: () => server.stop() };
}
