export { type Download, type FileActivities, fileActivities, filesQueue, type Summary } from "./activities.ts";
export { download, summarize } from "./files.ts";
export { createHost, type HostOptions } from "./host.ts";
