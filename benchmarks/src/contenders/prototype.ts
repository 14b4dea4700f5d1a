import { fileURLToPath } from "node:url";
import { ServerProcess } from "../machine/server-process.ts";
import type { Contender, StartedServer } from "./contender.ts";
import { nodeArgsOfTq } from "./tq.ts";

const serverFile = fileURLToPath(new URL("../prototype/server.js", import.meta.url));
const adapter = new URL("prototype-adapter.js", import.meta.url).href;

/** The bare prototype, with a worker that polls and with one that keeps a request open both ways. */
export const prototypes: readonly Contender[] = ["polls", "stream"].map((worker) => ({
  name: `bare prototype (${worker})`,
  durability: "each commit ends with an fsync of SQLite's log (WAL, synchronous=FULL)",
  isDurable: true,
  adapter,
  settings: { worker },
  start,
}));

async function start(folder: string): Promise<StartedServer> {
  const server = await ServerProcess.start({
    command: process.execPath,
    args: [...nodeArgsOfTq(), serverFile, folder],
  });
  await server.ready((output) => /listening on \d+\n/.test(output));
  const port = Number(/listening on (\d+)/.exec(server.output)?.[1]);
  return { host: "127.0.0.1", port, pid: server.pid, dataFolder: folder, stop: () => server.stop() };
}
