import type { Client, Duration } from "@tq/client";
import { type Download, type FileActivities, filesQueue, type Summary } from "./activities.ts";

/** Downloads a file to some host. */
export function download(client: Client, source: string): Promise<Download> {
  return client.activity<FileActivities>({ taskQueue: filesQueue }).execute("download", source);
}

/**
 * Summarises a file on the host that has it. Should that host be gone, or have the file no more, the task moves to the queue
 * that all hosts share, where one of them begins again with the source.
 *
 * @param startWithin how long the task waits for its host. (Without it a host that has gone is noticed, too, but later: when
 *   nobody has polled its queue for a while.)
 */
export function summarize(client: Client, downloaded: Download, startWithin: Duration = "10s"): Promise<Summary> {
  const { source, path, processTaskQueue } = downloaded;
  return client
    .activity<FileActivities>({
      taskQueue: processTaskQueue,
      scheduleToStartTimeout: startWithin,
      fallback: { taskQueue: filesQueue, type: "downloadAndSummarize", args: [source] },
    })
    .execute("summarize", { source, path });
}
