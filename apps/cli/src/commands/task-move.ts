import { clone, create } from "@bufbuild/protobuf";
import { BulkProgressSchema, type TaskFilter, TaskFilterSchema, TaskQueueKind } from "@tq/proto";
import { Command } from "commander";
import {
  addBulkOptions,
  type BulkChoice,
  bulkChoiceOf,
  type BulkFlags,
  bulkHelp,
  bulkRequestOf,
} from "../arguments/bulk.ts";
import { filledArgument } from "../arguments/text.ts";
import { type BulkAnswer, type BulkCounts, type BulkWords, reportBulk } from "../bulk-progress.ts";
import type { ExitCode } from "../exit-codes.ts";
import { answersInTime } from "../server-stream.ts";
import type { Invoke, Session } from "../session.ts";

const words: BulkWords = { done: "moved", unfit: "not waiting" };

interface TaskMoveFlags extends BulkFlags {
  readonly to: string;
}

/** What `tq task move` was told. */
export interface TaskMoveOptions extends BulkChoice {
  /** Name of the queue to which they go. */
  readonly to: string;
}

/** `tq task move`. */
export function taskMoveCommand(invoke: Invoke, now: () => number): Command {
  const command = new Command("move")
    .summary("move waiting tasks to another queue")
    .description(`Move waiting tasks to the tail of another queue, which need not exist. Their kind stays. ${bulkHelp}`)
    .requiredOption("--to <queue>", "name of the queue to which they go", filledArgument);
  addBulkOptions(command, now);
  return command.action((ids: readonly string[], flags: TaskMoveFlags) => {
    const options: TaskMoveOptions = { ...bulkChoiceOf(command, ids, flags), to: flags.to };
    return invoke(command, runTaskMove, options);
  });
}

async function runTaskMove({ to, ...choice }: TaskMoveOptions, session: Session): Promise<ExitCode> {
  return reportBulk(moved(to, choice, session), words, choice, session);
}

const noCounts: BulkCounts = { examined: 0n, changed: 0n, skipped: 0n };

/** Moves tasks of the kind that was named, or of both: a call is about queues of one kind. Its answers are as of one call. */
async function* moved(to: string, choice: BulkChoice, session: Session): AsyncGenerator<BulkAnswer> {
  const { operator } = session.client.services;
  const kinds = kindsOf(choice.filter.taskQueue?.kind);
  const { limit } = choice;
  let before = noCounts;
  for (const kind of kinds) {
    const left = limit === 0 ? 0 : limit - Number(before.changed);
    const ofThisKind = { ...choice, filter: ofKind(choice.filter, kind), limit: left };
    const request = { ...bulkRequestOf(ofThisKind, session), to: { name: to, kind } };
    let last = before;
    for await (const { progress } of answersInTime((call) => operator.moveTasks(request, call), session)) {
      if (progress === undefined) continue;
      last = sum(before, progress);
      const isEnough = kind === kinds.at(-1) || (limit > 0 && last.changed >= limit);
      yield { progress: create(BulkProgressSchema, { ...last, done: progress.done && isEnough }) };
      if (progress.done && isEnough) return;
    }
    before = last;
  }
}

function kindsOf(kind: TaskQueueKind | undefined): readonly TaskQueueKind[] {
  return kind === undefined || kind === TaskQueueKind.UNSPECIFIED
    ? [TaskQueueKind.ACTIVITY, TaskQueueKind.WORKFLOW]
    : [kind];
}

/** The same filter, where it names a queue, of this kind of it. */
function ofKind(filter: TaskFilter, kind: TaskQueueKind): TaskFilter {
  const one = clone(TaskFilterSchema, filter);
  if (one.taskQueue !== undefined) one.taskQueue.kind = kind;
  return one;
}

function sum(a: BulkCounts, b: BulkCounts): BulkCounts {
  return { examined: a.examined + b.examined, changed: a.changed + b.changed, skipped: a.skipped + b.skipped };
}
