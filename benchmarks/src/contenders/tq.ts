import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "../machine/server-process.ts";
import type { Contender, StartedServer } from "./contender.ts";

// dist/contenders is two folders below the package, the package one below the root.
const tqFile = fileURLToPath(new URL("../../../apps/cli/bin/tq.js", import.meta.url));
const adapter = new URL("tq-adapter.js", import.meta.url).href;
/** What is on disk, and how, as it acknowledges. */
export const tqDurability = "each acknowledgement follows a write of its journal that is on disk (O_DSYNC)";

/** A server of tq. */
export interface TqServer extends StartedServer {
  readonly address: string;
  /** What it printed, or the last of it. */
  output(): string;
  /** Ends it by `kill -9`. */
  kill(): Promise<void>;
}

/** Starts `tq server start` as a user would, on a free port. `nodeArgs` are Node's own, such as `--cpu-prof`. */
export async function startTq(folder: string, nodeArgs: readonly string[] = []): Promise<TqServer> {
  const args = [
    ...nodeArgsOfTq(),
    ...nodeArgs,
    tqFile,
    "server",
    "start",
    "--listen",
    "127.0.0.1:0",
    "--data",
    folder,
    "-o",
    "json",
  ];
  const server = await ServerProcess.start({ command: process.execPath, args });
  await server.ready((output) => output.includes('"address"'));
  const [, host, port] = /"address":\s*"([^"]+):(\d+)"/.exec(server.output) ?? [];
  if (host === undefined) throw new Error(`no address in ${server.output}`);
  return {
    address: `${host}:${port}`,
    host,
    port: Number(port),
    pid: server.pid,
    dataFolder: folder,
    output: () => server.output,
    stop: () => server.stop(),
    kill: () => server.kill(),
  };
}

/** What the first line of the program has Node started with. */
export function nodeArgsOfTq(): readonly string[] {
  const [firstLine = ""] = readFileSync(tqFile, "utf8").split("\n", 1);
  const [, args] = /^#!.* node (.+)$/.exec(firstLine) ?? [];
  if (args === undefined) throw new Error(`${tqFile} does not begin with how Node is to be started: ${firstLine}`);
  return args.split(" ");
}

/** tq, with completed tasks removed at once as the other columns have it, and as users get it, kept for an hour. */
export function tqContenders(nodeArgs: readonly string[] = []): readonly Contender[] {
  const common = {
    durability: tqDurability,
    isDurable: true,
    adapter,
    start: (folder: string) => startTq(folder, nodeArgs),
  };
  return [
    { name: "tq", ...common, settings: {} },
    { name: "tq (defaults: kept 1 h)", ...common, settings: { retention: "default" } },
  ];
}
