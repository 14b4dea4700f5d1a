import { createRouterTransport, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { Client, type ClientOptions, type Clock } from "@tq/client";
import { OperatorService, TaskService } from "@tq/proto";
import type { ServerModule } from "../src/commands/server-module.ts";
import type { Dependencies } from "../src/dependencies.ts";
import type { ExitCode, Interruption } from "../src/exit-codes.ts";
import { type Globals, globalsOf } from "../src/globals.ts";
import { parseCommand } from "../src/program.ts";
import { runTq } from "../src/run.ts";

/** What it is in all specs. */
export const nowMs = Date.UTC(2026, 0, 31, 12);

/** What a spec puts in the place of the world. Calls that have no fake answer `unimplemented`. */
export interface World {
  tasks?: Partial<ServiceImpl<typeof TaskService>>;
  operator?: Partial<ServiceImpl<typeof OperatorService>>;
  /** In the place of these fakes: that of a real server. */
  transport?: Transport;
  env?: Record<string, string>;
  stdin?: string;
  isTTY?: boolean;
  server?: ServerModule;
  now?: () => number;
  /** Notes what the client was made with, and lets it connect to nothing but `tasks` and `operator` all the same. */
  onClient?: (options: ClientOptions) => void;
}

/** A clock on which every wait is over at once. */
const impatient: Clock = {
  now: () => nowMs,
  setTimeout: (callback) => setImmediate(callback),
  clearTimeout: (timer) => clearImmediate(timer as NodeJS.Immediate),
};

/** How a command went. */
export interface Ran {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly ended: Promise<Ran>;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  interrupt(interruption: Interruption): void;
}

/** Runs `tq` in this process, against fakes. */
export async function tq(argv: readonly string[], world: World = {}): Promise<Ran> {
  return startTq(argv, world).ended;
}

/** The same, without waiting for its end. */
export function startTq(argv: readonly string[], world: World = {}): Running {
  const printed = { stdout: "", stderr: "" };
  const listeners = new Set<(interruption: Interruption) => void>();
  const stream = (name: "stdout" | "stderr") => ({
    write: (text: string) => (printed[name] += text),
    isTTY: world.isTTY,
    columns: world.isTTY === true ? 100 : undefined,
  });
  const fakes = createRouterTransport(({ service }) => {
    service(TaskService, world.tasks ?? {});
    service(OperatorService, world.operator ?? {});
  });
  const transport = world.transport ?? fakes;
  const dependencies: Dependencies = {
    createClient: (options) => {
      world.onClient?.(options);
      // The transport stands for the server at whatever address the command line names.
      const { address: _address, ...others } = options;
      return Client.create({ ...others, transport, clock: impatient });
    },
    loadServer: () =>
      world.server === undefined ? Promise.reject(new Error("no server")) : Promise.resolve(world.server),
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    stdin: (async function* () {
      await Promise.resolve();
      yield world.stdin ?? "";
    })(),
    env: world.env ?? {},
    now: world.now ?? (() => nowMs),
    actor: "alice@laptop",
    onInterruption: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    ended: runTq(argv, dependencies).then((code) => ({ code, ...printed })),
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    interrupt: (interruption) => {
      for (const listener of listeners) listener(interruption);
    },
  };
}

/** What a command line says, without running it. Throws commander's error if it is refused. */
export async function parsed(argv: readonly string[], env: Record<string, string> = {}): Promise<Parsed> {
  const found: Parsed[] = [];
  const silent = { write: () => {} };
  await parseCommand(
    argv,
    (command, _run, options) => {
      found.push({ options, globals: globalsOf(command, env) });
      return Promise.resolve();
    },
    { stdout: silent, stderr: silent, env, now: () => nowMs },
  );
  return found[0]!;
}

/** See {@link parsed}. */
export interface Parsed {
  readonly options: unknown;
  readonly globals: Globals;
}
