import { all, type Steps, type Workflow } from "../workflow.ts";
import type { FileActivities } from "./activities.ts";
import type { FileFacts, Outline } from "./text.ts";

/** The engine's queue. */
export const engineQueue = "demo-engine";
/** The workers' queue. */
export const filesQueue = "demo-files";
/** Short, so that what a killed worker held comes back soon. */
export const leaseMs = 5_000;

/** Many and quick: a file that is busy may be free soon, and a worker that is killed costs an attempt. */
const retry = {
  initialInterval: "200ms",
  maximumInterval: "1s",
  maximumAttempts: 10,
  nonRetryableFailureTypes: ["FileChangedError"],
} as const;

/** One file's part of the report. */
export interface ReportPart extends FileFacts, Outline {
  readonly path: string;
  readonly words: number;
}

/** The demo's workflows. */
export const workflows = {
  /** A file is hashed; then its outline is taken and its words are counted, at the same time. */
  *describeFile(wf: Workflow, path: string): Steps<ReportPart> {
    const files = wf.activities<FileActivities>({ taskQueue: filesQueue, retry });
    const facts = yield* files.start("hash", path);
    const [outline, words] = yield* all(
      files.start("outline", path, facts.sha256),
      files.start("countWords", path, facts.sha256),
    );
    return { path, ...facts, ...outline, words };
  },
};
