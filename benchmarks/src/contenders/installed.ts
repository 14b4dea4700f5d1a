import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A server's program, and the package of Debian that it comes in. */
interface Program {
  readonly package: string;
  /** Folders to look in besides those of PATH. */
  readonly folders: readonly string[];
}

const programs = {
  "redis-server": { package: "redis-server", folders: [] },
  initdb: { package: "postgresql", folders: postgresFolders() },
  postgres: { package: "postgresql", folders: postgresFolders() },
  "nats-server": { package: "nats-server", folders: [] },
  // The one in /usr/sbin changes the user that it runs as.
  "rabbitmq-server": { package: "rabbitmq-server", folders: ["/usr/lib/rabbitmq/bin"] },
  epmd: { package: "rabbitmq-server", folders: [] },
  beanstalkd: { package: "beanstalkd", folders: [] },
} as const satisfies Record<string, Program>;

/** Name of a program that a peer's server needs. */
export type ProgramName = keyof typeof programs;

/** Where the program is. Undefined if it is not installed. */
export function findCommand(name: ProgramName): string | undefined {
  const { folders } = programs[name];
  const path = (process.env["PATH"] ?? "").split(":");
  // System administrators' folders are not on everybody's PATH.
  return [...folders, ...path, "/usr/sbin", "/usr/local/sbin"]
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

/** Where the program is. @throws Error naming the command that installs it. */
export function commandOf(name: ProgramName): string {
  const command = findCommand(name);
  if (command === undefined) throw new Error(`${name} is not installed: apt-get install ${packageOf(name)}`);
  return command;
}

/** The package of Debian that has the program. */
export function packageOf(name: ProgramName): string {
  return programs[name].package;
}

/** Debian keeps them out of PATH, by version; the newest first. */
function postgresFolders(): string[] {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, "bin"));
}
