import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Memory where the system has it as a folder: the specs commit thousands of times. */
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** An empty folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(base, "tq-sqlite-"));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Whether this process may mount a file system. */
export function mayMount(...args: readonly string[]): boolean {
  const folder = temporaryFolder();
  try {
    execFileSync("mount", ["-t", ...args, folder], { stdio: "ignore" });
    execFileSync("umount", [folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    removeFolder(folder);
  }
}
