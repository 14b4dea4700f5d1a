import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Contender } from "../contenders/contender.ts";
import { benchFolder } from "../machine/bench-folder.ts";
import type { ClientOrder } from "./client-process.ts";
import type { Readings } from "./columns.ts";
import { limitMsOf, type Scenario } from "./scenarios.ts";

/** What a run plays, and how. */
export interface RunOptions {
  readonly warmUp: readonly (readonly Scenario[])[];
  readonly scenarios: readonly (readonly Scenario[])[];
  /** Node's own arguments of the client process. Default none. */
  readonly clientNodeArgs?: readonly string[];
}

const clientFile = new URL("client-process.js", import.meta.url).pathname;
/** What a client may take for more than its scenarios may: past it, it hangs. */
const limitBesideMs = 40_000;

/**
 * Starts a new server with its data in a folder of its own, lets one client process play the scenarios, and ends both.
 *
 * @throws Error with what the client printed if it fails.
 */
export async function runOnce(contender: Contender, options: RunOptions): Promise<Readings> {
  const folder = benchFolder();
  try {
    const server = await contender.start(folder.path);
    try {
      const { host, port, pid, dataFolder } = server;
      const { adapter, settings } = contender;
      const { warmUp, scenarios, clientNodeArgs = [] } = options;
      const order: ClientOrder = { adapter, settings, server: { host, port, pid, dataFolder }, warmUp, scenarios };
      const limitMs = limitBesideMs + [...warmUp, ...scenarios].flat().reduce((sum, each) => sum + limitMsOf(each), 0);
      const readings = await clientReadings(contender, [...clientNodeArgs, clientFile, JSON.stringify(order)], limitMs);
      for (const column of contender.untold ?? []) delete readings[column];
      return readings;
    } finally {
      await server.stop();
    }
  } finally {
    folder.remove();
  }
}

async function clientReadings(
  { name, clientProgram }: Contender,
  args: readonly string[],
  limitMs: number,
): Promise<Readings> {
  const client = spawn(clientProgram ?? process.execPath, args, {
    // The end of its standard input is how it learns of the end of this process.
    stdio: ["pipe", "pipe", "pipe"],
    timeout: limitMs,
  });
  const [stdout, stderr] = await Promise.all([text(client.stdout), text(client.stderr), once(client, "exit")]);
  if (client.exitCode !== 0) {
    throw new Error(`${name}: the client ended with ${client.exitCode ?? client.signalCode}:\n${stdout}${stderr}`);
  }
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Readings;
}
