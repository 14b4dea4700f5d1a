import { type Command, Option } from "commander";
import { defaultAddress } from "@tq/client";
import { positiveDurationArgument } from "./arguments/duration.ts";

/** What every command is told. */
export interface Globals {
  readonly address: string;
  readonly namespace: string;
  readonly output: OutputFormat;
  /** Deadline of one call, in milliseconds. */
  readonly timeoutMs: number;
}

/** How data is printed. */
export type OutputFormat = "table" | "json";

interface GlobalFlags {
  readonly address?: string;
  readonly namespace?: string;
  readonly output: OutputFormat;
  readonly timeout: number;
}

/** Gives the program the options that every command takes. */
export function addGlobalOptions(program: Command): Command {
  return program
    .option("--address <host:port>", `where the server is (default: ${defaultAddress}, or TQ_ADDRESS)`)
    .option("-n, --namespace <name>", "namespace of tasks and queues (default: default, or TQ_NAMESPACE)")
    .addOption(
      new Option("-o, --output <format>", "how to print data: aligned for people, or JSON for programs")
        .choices(["table", "json"])
        .default("table"),
    )
    .addOption(
      new Option("--timeout <duration>", "how long the server may take to answer a call")
        .argParser(positiveDurationArgument)
        .default(10_000, "10s"),
    );
}

/** What a command was told, from its options and the environment. An empty variable counts as unset. */
export function globalsOf(command: Command, env: Readonly<Record<string, string | undefined>>): Globals {
  const flags = command.optsWithGlobals<GlobalFlags & Record<string, unknown>>();
  return {
    address: flags.address ?? (env["TQ_ADDRESS"] || defaultAddress),
    namespace: flags.namespace ?? (env["TQ_NAMESPACE"] || "default"),
    output: flags.output,
    timeoutMs: flags.timeout,
  };
}

/** The options to repeat in a hint, so that it goes to the same server and namespace: empty, or ending in a space. */
export function repeatedOptions(
  { address, namespace }: Globals,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const parts = [];
  if (address !== (env["TQ_ADDRESS"] || defaultAddress)) parts.push(`--address ${address}`);
  if (namespace !== (env["TQ_NAMESPACE"] || "default")) parts.push(`-n ${namespace}`);
  return parts.map((part) => ` ${part}`).join("");
}
