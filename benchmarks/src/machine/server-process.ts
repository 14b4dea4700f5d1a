import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { whenThisProcessEnds } from "./when-this-process-ends.ts";

/** How to start a process that serves. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** User and group to run as. Default: those of this process. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** Asks it to end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /**
   * A program, and its arguments, that ends what has left the group of processes. Run once they have ended; a second later
   * if they are killed with this process, since some refuse while they still have a connection of theirs.
   */
  readonly afterwards?: readonly string[];
}

/** A process that serves, with those that it started itself. It does not outlive this one, however this one ends. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #command: ServerCommand;
  readonly #ended: Promise<unknown>;
  readonly #outlive: () => void;
  #output = "";

  private constructor(child: ChildProcess, command: ServerCommand) {
    this.#child = child;
    this.#command = command;
    this.#ended = once(child, "exit");
    this.#outlive = whenThisProcessEnds(
      'kill -9 "-$1"; shift; sleep 1; "$@"',
      String(child.pid),
      ...(command.afterwards ?? ["true"]),
    );
    for (const stream of [child.stdout, child.stderr]) {
      // The last of it is enough to say what went wrong.
      stream?.on("data", (data: Buffer) => (this.#output = (this.#output + data.toString()).slice(-20_000)));
    }
  }

  /** Starts it in a process group of its own, so that all of it can be ended. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const { args, env, cwd, runAs } = command;
    const child = spawn(command.command, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: env ?? process.env,
      ...(cwd !== undefined && { cwd }),
      ...runAs,
    });
    await once(child, "spawn");
    return new ServerProcess(child, command);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#command.command} was not started`);
    return this.#child.pid;
  }

  /** What it printed, or the last of it. */
  get output(): string {
    return this.#output;
  }

  /** Resolves once `isReady` says so. @throws Error with what it printed if it ends before, or takes too long. */
  async ready(isReady: (output: string) => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
    const endsAt = performance.now() + limitMs;
    while (!(await isReady(this.#output))) {
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (hasEnded || performance.now() > endsAt) {
        await this.stop();
        throw new Error(`${this.#command.command} ${hasEnded ? "ended" : "is not ready"}:\n${this.#output}`);
      }
      await sleep(20);
    }
  }

  /** Asks it to end, and kills what is left of it after 5 s. */
  async stop(): Promise<void> {
    const { stopSignal = "SIGTERM" } = this.#command;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(stopSignal);
      const giveUp = new AbortController();
      await Promise.race([this.#ended, sleep(5_000, undefined, { signal: giveUp.signal }).catch(() => {})]);
      giveUp.abort();
    }
    await this.kill();
  }

  /** Kills it and all that it started. */
  async kill(): Promise<void> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Nothing of its group is left.
    }
    await this.#ended;
    this.#outlive();
    const [program, ...args] = this.#command.afterwards ?? [];
    if (program !== undefined) execFileSync(program, args, { stdio: "ignore" });
  }
}

/** A port of loopback that is free just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Whether something listens there. */
export async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
