import { readFile, rm, writeFile } from "node:fs/promises";

/** A file that this process alone may write to. */
export interface HeldFile {
  release(): Promise<void>;
}

/**
 * Holds a file by another one beside it that has this process's id. Node has no flock(2), which would be let go with the
 * process; so one that was left behind by a killed process is told by nobody having that id. It keeps a second engine out
 * that was started by mistake; two that find a dead one's lock in the same millisecond may both get it.
 *
 * @throws Error if another process has it.
 */
export async function holdFile(path: string): Promise<HeldFile> {
  const lock = `${path}.lock`;
  for (;;) {
    try {
      await writeFile(lock, `${process.pid}\n`, { flag: "wx" });
      return { release: () => rm(lock, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const holder = Number(await readFile(lock, "utf8").catch(() => ""));
    if (isAlive(holder)) {
      throw new Error(
        `${path} is in use by process ${holder}: one engine to a file. Stop that one first; if it is no engine, delete ${lock}.`,
      );
    }
    await rm(lock, { force: true });
  }
}

function isAlive(pid: number): boolean {
  // A process that finds its own id was restarted under it, as the first process of a container is. An empty file was
  // left by one that was killed as it wrote.
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
