import { accessSync, constants, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Memory that the system has as a folder, where it has: a run commits and crashes hundreds of times. */
function base(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

/** The disk of a simulated world. A crash leaves what was on it, in a new folder, since the old one is not to change. */
export class Disk {
  readonly #root = mkdtempSync(join(base(), "tq-simulation-"));
  #copies = 0;

  constructor() {
    mkdirSync(this.folder);
  }

  /** Where the data lies now. */
  get folder(): string {
    return join(this.#root, `${this.#copies}`);
  }

  get file(): string {
    return join(this.folder, "tq.db");
  }

  /**
   * What the file system holds at this moment is what a killed process would leave: the database, SQLite's log and the
   * journal. (Its shared memory is made anew by whoever opens it.)
   */
  crash(): void {
    const dead = this.folder;
    this.#copies += 1;
    mkdirSync(this.folder);
    for (const name of readdirSync(dead)) {
      if (/^tq\.db(-wal|-log\..*)?$/.test(name)) copyFileSync(join(dead, name), join(this.folder, name));
    }
  }

  /** Takes the lock file away, as an operator does who believes that nobody has it: another server can then open the store. */
  breakLock(): void {
    rmSync(`${this.file}.lock`, { force: true });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
