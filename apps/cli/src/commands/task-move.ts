import { clone, create } from "@bufbuild/protobuf";
import { BulkProgressSchema, type TaskFilter, TaskFilterSchema, TaskQueueKind } from "@tq/proto";
import { Command } from "commander";
import { actionOf } from "../arguments/action.ts";
import {
  addBulkOptions,
  type BulkChoice,
  bulkChoiceOf,
  type BulkFlags,
  bulkHelp,
  bulkOptionsOf,
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
  const { client, globals } = session;
  const kinds = kindsOf(choice.filter.taskQueue?.kind);
  const limit = BigInt(choice.limit);
  let before = noCounts;
  for (const kind of kinds) {
    const request = {
      namespace: globals.namespace,
      action: actionOf(choice, session),
      bulk: {
        ...bulkOptionsOf({ ...choice, filter: ofKind(choice.filter, kind) }),
        limit: limit === 0n ? limit : limit - before.changed,
      },
      to: { name: to, kind },
    };
    let last = before;
    for await (const { progress } of answersInTime(
      (call) => client.services.operator.moveTasks(request, call),
      session,
    )) {
      if (progress === undefined) continue;
      last = sum(before, progress);
      const isEnough = kind === kinds.at(-1) || (limit > 0n && last.changed >= limit);
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
