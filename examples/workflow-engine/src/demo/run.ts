import { Client, type Logger } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import type { HistoryRecord } from "../history.ts";
import { readLog } from "../log.ts";
import { WorkflowClient } from "../workflow-client.ts";
import { Cast, DemoError, failureOf } from "./cast.ts";
import { countTasks, type RunFigures, summary } from "./figures.ts";
import { freePort } from "./free-port.ts";
import type { Inputs } from "./inputs.ts";
import type { Progress } from "./progress.ts";
import { compareReports, directPart, endsByWorkflow } from "./report.ts";
import { Watch } from "./watch.ts";
import { engineQueue, filesQueue, type ReportPart, type workflows } from "./workflows.ts";

/** Open workflows at most: enough to keep the workers busy, few enough that the kills come midway. */
const maxOpen = 24;

/** A start, three activities, and the outcome of each. */
const tasksPerFile = 7;

/** What a run is given. */
export interface RunOptions {
  readonly inputs: Inputs;
  /** For data and logs. */
  readonly workFolder: string;
  readonly progress: Progress;
  /** Ends it early. Every process that was started is gone when the promise is settled. */
  readonly signal: AbortSignal;
}

/**
 * One workflow for each file, and two kills on the way.
 *
 * @throws DemoError if anything is lost, done twice or not as computed directly.
 */
export async function runDemo({ inputs, workFolder, progress, signal }: RunOptions): Promise<void> {
  const { folder, paths } = inputs;
  const ended = new Set<string>();
  const latencies: number[] = [];
  let runs: RunFigures["runs"] = { hits: 0, misses: 0 };
  const watch = new Watch(signal);
  const cast = new Cast({
    folder,
    workFolder,
    port: await freePort(),
    onMessage: (message) => {
      switch (message.kind) {
        case "latencies":
          latencies.push(...message.ms);
          break;
        case "runs":
          runs = message;
          break;
        case "ended":
          ended.add(message.workflow);
      }
      watch.note();
    },
    onLost: (child) => void failureOf(child).then((error) => watch.fail(error)),
  });
  // That the server is away is no news here: the demo says itself when it kills it.
  const quiet: Logger = { debug() {}, info() {}, warn() {}, error: console.error };
  const client = Client.create({ address: cast.address, logger: quiet });
  let ticker: NodeJS.Timeout | undefined;
  try {
    let server = await cast.startServer();
    const engine = cast.startEngine();
    const victim = cast.startWorker("worker 1");
    const workers = [cast.startWorker("worker 2")];
    progress.event(`A server on ${cast.address}, an engine and two workers are up; their logs are in ${workFolder}`);

    const beganAtMs = performance.now();
    const flows = new WorkflowClient<typeof workflows>(client, engineQueue);
    const starting = startAll(flows, paths, ended, watch);
    starting.catch((error: unknown) => watch.fail(error));
    const untilEnded = (count: number) => watch.until(() => ended.size >= count);
    ticker = setInterval(() => progress.count(ended.size, paths.length), 100);

    await untilEnded(Math.floor(paths.length / 3));
    await cast.kill(victim);
    progress.event(`SIGKILL to worker 1 after ${ended.size} workflows; worker 3 takes its place`);
    workers.push(cast.startWorker("worker 3"));

    await untilEnded(Math.floor((paths.length * 2) / 3));
    await cast.kill(server);
    progress.event(`SIGKILL to the server after ${ended.size} workflows`);
    server = await cast.startServer();
    progress.event("The server is up again, on the same data");

    await untilEnded(paths.length);
    await starting;
    clearInterval(ticker);
    const seconds = (performance.now() - beganAtMs) / 1_000;
    progress.event(`All ${paths.length} workflows have ended`);

    // In this order: the engine gives its last answers, then the server is asked, then it goes.
    await cast.stop([...workers, engine]);
    const figures = await countTasks(client);
    await cast.stop([server]);
    const { records } = await readLog(cast.logFile);
    const direct: ReportPart[] = [];
    for (const path of paths) direct.push(await directPart(folder, path));
    const expected = new Map(direct.map((part, index) => [workflowId(index), part]));
    const wrong = [...compareReports(endsByWorkflow(records as HistoryRecord[]), expected), ...figures.notCompleted];
    if (figures.tasks !== paths.length * tasksPerFile) {
      wrong.push(`the server has ${figures.tasks} tasks instead of ${paths.length * tasksPerFile}`);
    }

    for (const line of ["", ...summary(direct, { ...figures, runs, seconds, latenciesMs: latencies })])
      progress.say(line);
    if (wrong.length > 0) throw disagreement(wrong);
    progress.say("The report is the same as one computed directly. Every workflow ended once; nothing was lost.");
  } catch (error) {
    throw signal.aborted ? error : await explained(error, client);
  } finally {
    clearInterval(ticker);
    watch.close();
    await cast.killAll();
    // Not awaited: adds that were under way are tried for a while, with or without a server. The caller ends the process.
    void client.close().catch(() => {});
  }
}

/** Starts the workflows, a bounded number ahead of those that have ended. Kills on the way are the client's business. */
async function startAll(
  flows: WorkflowClient<typeof workflows>,
  paths: readonly string[],
  ended: ReadonlySet<string>,
  watch: Watch,
): Promise<void> {
  const started: Promise<void>[] = [];
  for (const [index, path] of paths.entries()) {
    await watch.until(() => index - ended.size < maxOpen);
    const start = flows.start("describeFile", workflowId(index), path);
    start.catch((error: unknown) => watch.fail(error));
    started.push(start);
  }
  await Promise.all(started);
}

/** The error, with what the server says about tasks that wait, if it can be asked. */
async function explained(error: unknown, client: Client): Promise<unknown> {
  if (!(error instanceof DemoError)) return error;
  const hints: string[] = [];
  const queues = [[filesQueue, TaskQueueKind.ACTIVITY] as const, [engineQueue, TaskQueueKind.WORKFLOW] as const];
  for (const [name, kind] of queues) {
    const call = { namespace: "default", taskQueue: { name, kind } };
    const answer = await client.services.operator.describeTaskQueue(call, { timeoutMs: 1_000 }).catch(() => undefined);
    for (const { hint } of answer?.taskQueues.flatMap(({ reasons }) => reasons) ?? []) hints.push(`${name}: ${hint}`);
  }
  return hints.length === 0 ? error : new DemoError([error.message, ...hints].join("\n"), { cause: error });
}

function disagreement(wrong: readonly string[]): DemoError {
  const more = wrong.length > 10 ? [`and ${wrong.length - 10} more`] : [];
  return new DemoError(["The report is wrong:", ...wrong.slice(0, 10), ...more].join("\n"));
}

function workflowId(index: number): string {
  return `file-${String(index + 1).padStart(4, "0")}`;
}
