import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, isListening, ServerProcess } from "../machine/server-process.ts";
import type { StartedServer } from "./contender.ts";
import { commandOf } from "./installed.ts";

const host = "127.0.0.1";

/** RabbitMQ without plugins, on ports of its own, as the present user. */
export async function startRabbitmq(folder: string): Promise<StartedServer> {
  const [port, distributionPort, namesPort] = [await freePort(), await freePort(), await freePort()];
  const plugins = join(folder, "enabled_plugins");
  writeFileSync(plugins, "[].\n");
  const env = {
    ...process.env,
    HOME: folder,
    ERL_EPMD_PORT: String(namesPort),
    ERL_EPMD_ADDRESS: host,
    RABBITMQ_NODENAME: "tq-bench@localhost",
    RABBITMQ_NODE_IP_ADDRESS: host,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    RABBITMQ_CONF_ENV_FILE: join(folder, "none"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
  };
  // Erlang's table of names outlives what it was started for.
  const afterwards = [commandOf("epmd"), "-port", String(namesPort), "-kill"];
  const command = commandOf("rabbitmq-server");
  const server = await ServerProcess.start({ command, args: [], env, cwd: folder, afterwards });
  await server.ready((output) => output.includes("completed with") && isListening(host, port));
  return { host, port, pid: server.pid, dataFolder: folder, stop: () => server.stop() };
}
