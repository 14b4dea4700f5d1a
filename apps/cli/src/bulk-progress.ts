import type { BulkProgress } from "@tq/proto";
import type { BulkChoice } from "./arguments/bulk.ts";
import { ExitCode } from "./exit-codes.ts";
import { type Field, fieldLines } from "./output/fields.ts";
import type { Session } from "./session.ts";

/** What a bulk call does to a task. */
export interface BulkWords {
  /** As in "3 tasks were redriven". */
  readonly done: string;
  /** Why a task that matches is left as it is, as in "2 that are not dead". */
  readonly unfit: string;
}

/** Counts of a bulk call. */
export type BulkCounts = Pick<BulkProgress, "examined" | "changed" | "skipped">;

/** What a bulk call answers after each chunk. */
export interface BulkAnswer {
  readonly progress?: BulkProgress | undefined;
}

/** So often a long call tells how far it is. */
const tellEveryMs = 1_000;

/**
 * The counts at the end of a bulk call. Meanwhile tells the user how far it is, and if it breaks, how far it came.
 *
 * @throws TqError of the call; an error if the server ends it before it is done
 */
export async function bulkCounts(
  answers: AsyncIterable<BulkAnswer>,
  { done }: Pick<BulkWords, "done">,
  { output, now }: Session,
): Promise<BulkCounts> {
  let last: BulkProgress | undefined;
  let toldAtMs = now();
  try {
    for await (const { progress } of answers) {
      if (progress === undefined) continue;
      last = progress;
      if (progress.done || now() - toldAtMs < tellEveryMs) continue;
      toldAtMs = now();
      output.message(`${tasks(progress.examined)} looked at, ${progress.changed} ${done} so far.`);
    }
    if (last?.done !== true) throw new Error("the server ended the call before it was done");
    return last;
  } catch (error) {
    if (last !== undefined && !last.done) output.message(`${tasks(last.changed)} ${done} before it ended.`);
    throw error;
  }
}

/** Prints what a bulk call over a choice of tasks came to. That nothing matched is told, and no failure. */
export async function reportBulk(
  answers: AsyncIterable<BulkAnswer>,
  words: BulkWords,
  choice: BulkChoice,
  session: Session,
): Promise<ExitCode> {
  const { output } = session;
  const counts = await bulkCounts(answers, choice.dryRun ? { done: `would be ${words.done}` } : words, session);
  if (output.format === "json") output.json(countsJson(counts, choice.dryRun));
  else output.lines(fieldLines(countFields(counts, words, choice.dryRun), output.paint));
  const note = noteOn(counts, words, choice);
  if (note !== undefined) output.message(note);
  return ExitCode.ok;
}

/** Counts for programs. */
export function countsJson({ examined, changed, skipped }: BulkCounts, dryRun: boolean): Record<string, unknown> {
  return { dryRun, examined: Number(examined), changed: Number(changed), skipped: Number(skipped) };
}

function countFields({ examined, changed, skipped }: BulkCounts, words: BulkWords, dryRun: boolean): Field[] {
  return [
    [dryRun ? `would be ${words.done}` : words.done, String(changed)],
    ["skipped", skipped === 0n ? undefined : `${skipped} that ${skipped === 1n ? "is" : "are"} ${words.unfit}`],
    ["looked at", String(examined)],
  ];
}

function noteOn({ changed, skipped }: BulkCounts, words: BulkWords, choice: BulkChoice): string | undefined {
  const { filter, dryRun, limit } = choice;
  if (limit > 0 && changed >= BigInt(limit)) {
    return `Stopped at the limit of ${limit}: there may be more. Run it again for the next ones.`;
  }
  const matched = changed + skipped;
  const nothing = dryRun ? `nothing would be ${words.done}` : `nothing was ${words.done}`;
  if (matched === 0n) return `No task matches: ${nothing}.`;
  const missing = BigInt(filter.ids.length) - matched;
  if (missing > 0n) return `${missing} of the ${filter.ids.length} ids ${missing === 1n ? "does" : "do"} not match.`;
  return changed === 0n ? `What matches is ${words.unfit}: ${nothing}.` : undefined;
}

function tasks(count: bigint): string {
  return count === 1n ? "1 task" : `${count} tasks`;
}
