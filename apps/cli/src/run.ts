import type { Client } from "@tq/client";
import { commandNameOf } from "./command-name.ts";
import type { Dependencies } from "./dependencies.ts";
import { errorText } from "./error-text.ts";
import { ExitCode, exitCodeOfError } from "./exit-codes.ts";
import { type Globals, globalsOf, repeatedOptions } from "./globals.ts";
import { Interrupts } from "./interrupts.ts";
import { jsonTextConverter } from "./json-text.ts";
import { paintFor } from "./output/color.ts";
import { Output } from "./output/output.ts";
import { parseCommand } from "./program.ts";
import type { Invoke, Session } from "./session.ts";

/**
 * Runs `tq` with the arguments behind its name and answers what to exit with. Never rejects. When a signal ended it, what
 * the command was at may still be under way: the caller is to exit.
 */
export async function runTq(argv: readonly string[], dependencies: Dependencies): Promise<ExitCode> {
  const interrupts = new Interrupts();
  const stopListening = dependencies.onInterruption((interruption) => interrupts.notify(interruption));
  try {
    return await Promise.race([runCommand(argv, dependencies, interrupts), interrupts.ended]);
  } finally {
    stopListening();
  }
}

async function runCommand(
  argv: readonly string[],
  dependencies: Dependencies,
  interrupts: Interrupts,
): Promise<ExitCode> {
  const { stderr, env } = dependencies;
  let code: ExitCode = ExitCode.ok;
  const invoke: Invoke = async (command, run, options) => {
    const session = new OpenSession(globalsOf(command, env), dependencies, interrupts);
    try {
      code = await run(options, session);
    } finally {
      await session.close();
    }
  };
  try {
    await parseCommand(argv, invoke, dependencies);
    return code;
  } catch (error) {
    const text = errorText(error, env["TQ_DEBUG"] === "1");
    if (text !== "" && !interrupts.signal.aborted) stderr.write(`${paintFor(stderr, env)("bad", "tq:")} ${text}\n`);
    return exitCodeOfError(error);
  }
}

class OpenSession implements Session {
  readonly globals: Globals;
  readonly output: Output;
  readonly stdin: Session["stdin"];
  readonly now: Session["now"];
  readonly actor: string;
  readonly loadServer: Session["loadServer"];
  readonly signal: AbortSignal;
  readonly onInterruption: Session["onInterruption"];
  readonly typed: Session["typed"];
  readonly #createClient: Dependencies["createClient"];
  #client: Client | undefined;

  constructor(globals: Globals, dependencies: Dependencies, interrupts: Interrupts) {
    const { env } = dependencies;
    this.globals = globals;
    this.output = new Output(globals.output, dependencies, env);
    this.stdin = dependencies.stdin;
    this.now = dependencies.now;
    this.actor = dependencies.actor;
    this.loadServer = dependencies.loadServer;
    this.signal = interrupts.signal;
    this.onInterruption = (handler) => interrupts.handle(handler);
    this.typed = (command, other) =>
      `${commandNameOf(env)}${repeatedOptions({ ...globals, ...other }, env)} ${command}`;
    this.#createClient = dependencies.createClient;
  }

  get client(): Client {
    const { address, namespace, timeoutMs } = this.globals;
    this.#client ??= this.#createClient({
      address,
      namespace,
      callTimeout: timeoutMs,
      // Somebody sits and waits: what is wrong is told at once.
      retry: { giveUpAfter: 0 },
      payloadConverter: jsonTextConverter,
    });
    return this.#client;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}
