import { spawn } from "node:child_process";

/**
 * Has a shell run a script, with these as `$1` and so on, once this process has ended, however it ended: also by `kill -9`,
 * of which no handler is told. Answers a function after which it is not run any more.
 *
 * The shell waits for the end of its standard input, which the system closes with this process.
 */
export function whenThisProcessEnds(script: string, ...args: readonly string[]): () => void {
  // A process group of its own: what ends this one's group must not end it too.
  const shell = spawn("/bin/sh", ["-c", `read -r _; ${script}`, "sh", ...args], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // This process need not wait for it.
  shell.unref();
  return () => {
    shell.kill("SIGKILL");
  };
}
