import { Worker } from "@tq/worker-sdk";
import { fileActivities, filesQueue } from "./activities.ts";

/** What a host is made of. */
export interface HostOptions {
  /** Where the server is. */
  readonly address: string;
  /** Where the host keeps its files. */
  readonly folder: string;
  /** For people. */
  readonly name: string;
}

/** A host: it takes files from the queue that all share, and what is for it alone from a queue of its own. */
export function createHost({ address, folder, name }: HostOptions): Promise<Worker> {
  return Worker.create({
    address,
    identity: name,
    taskQueue: filesQueue,
    processQueue: true,
    activities: fileActivities(folder, name),
  });
}
