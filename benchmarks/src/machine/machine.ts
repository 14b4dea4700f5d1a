import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";

/** Where and of what something was measured. */
export interface Provenance {
  readonly date: string;
  /** The commit; followed by `+changes` if there were some. Unset outside of a repository. */
  readonly commit?: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
    readonly node: string;
  };
}

/** Of this moment and this machine. */
export function provenance(now: Date): Provenance {
  const commit = commitHere();
  return {
    date: now.toISOString().slice(0, 10),
    ...(commit !== undefined && { commit }),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      node: process.version,
    },
  };
}

/** Results that were just kept are no change to what is measured. */
const changes = ["status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results"];

function commitHere(): string | undefined {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8", stdio: "pipe" }).trim();
  try {
    return git("rev-parse", "--short=12", "HEAD") + (git(...changes) === "" ? "" : "+changes");
  } catch {
    return undefined;
  }
}
