import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Context, ReleaseToFallback } from "@tq/worker-sdk";

/** The queue that all hosts share. */
export const filesQueue = "files";

/** Where a file was downloaded to. */
export interface Download {
  readonly source: string;
  /** On the host that has it. */
  readonly path: string;
  /** The queue of that host's process. */
  readonly processTaskQueue: string;
  /** For people. */
  readonly host: string;
}

/** What a file came to. */
export interface Summary {
  readonly source: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Who did it; for people. */
  readonly host: string;
}

/** What a host can do. */
export type FileActivities = ReturnType<typeof fileActivities>;

/** The activities of a host that keeps its files in `folder`. */
export function fileActivities(folder: string, host: string) {
  /** Where this host keeps what it has of a source; the same each time, so that a second download is no second file. */
  const pathOf = (source: string) => join(folder, createHash("sha256").update(source).digest("hex").slice(0, 16));

  async function download(source: string): Promise<Download> {
    const path = pathOf(source);
    await mkdir(folder, { recursive: true });
    // A real one would fetch it from afar, and be slow: that is why it should not be done twice.
    await copyFile(source, path);
    const { processTaskQueue = "" } = Context.current().info;
    return { source, path, processTaskQueue, host };
  }

  async function summarize({ source, path }: Pick<Download, "source" | "path">): Promise<Summary> {
    const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      // The disk was cleared meanwhile. Whoever takes the fallback downloads it again.
      if (error.code === "ENOENT") throw new ReleaseToFallback(`${path} is not on ${host}`);
      throw error;
    });
    return { source, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex"), host };
  }

  /** What the fallback runs, on whatever host: both at once. */
  async function downloadAndSummarize(source: string): Promise<Summary> {
    return summarize(await download(source));
  }

  return { download, summarize, downloadAndSummarize };
}
