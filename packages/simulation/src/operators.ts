/* Operators: they set limits, pause and drain, and do things to many tasks at once. In the end they undo it all. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  TaskQueueKind,
  TaskState,
  type BulkProgress,
  type FairnessKeyConfigSchema,
  type TaskFilterSchema,
  type TaskQueueConfigSchema,
} from "@tq/proto";
import type { Services } from "./network.ts";
import type { Random } from "./random.ts";
import type { Repeater } from "./repeater.ts";
import { someNamespace } from "./producers.ts";
import {
  activityTypes,
  duration,
  fairnessKeys,
  namespaces,
  queues,
  serialKeys,
  workflowTypes,
  type QueueRef,
} from "./scenery.ts";

type Config = MessageInitShape<typeof TaskQueueConfigSchema>;
type Filter = MessageInitShape<typeof TaskFilterSchema>;

/** Every limit that is ever set: named in a mask, it goes back to its default where it is not given. */
const limits = [
  "rate_per_second",
  "burst",
  "max_started",
  "fairness_keys",
  "default_fairness_key",
  "max_backlog",
  "default_retry_policy",
  "default_schedule_to_start_timeout",
];

/** What an operator says of what it does. */
interface Action {
  readonly requestId: string;
  readonly actor: string;
  readonly reason: string;
}

/** A configuration that was seen. */
interface Seen {
  readonly namespace: string;
  readonly taskQueue: QueueRef;
  readonly revision: bigint;
}

/** What each call carries. */
interface Asked {
  readonly namespace: string;
  readonly action: Action;
}

/** Makes one call. Answers what of its answer goes into the history. */
type Operate = (services: Services, asked: Asked, options: { readonly signal: AbortSignal }) => Promise<string>;

/** Everyone who steers. */
export class Operators {
  readonly #random: Random;
  readonly #repeater: Repeater;
  readonly #wallNow: () => number;
  /** Configurations that were seen, as they are or as they were: others may have changed them since. */
  readonly #seen = new Map<string, Seen>();

  constructor(random: Random, repeater: Repeater, wallNow: () => number) {
    this.#random = random;
    this.#repeater = repeater;
    this.#wallNow = wallNow;
  }

  /** Sets some limits of a queue, and lets go of the others. */
  configure(): void {
    const config = someConfig(this.#random);
    // One that has been configured before, on the revision that it was seen at, or any.
    const seen =
      this.#seen.size > 0 && this.#random.chance(0.5) ? this.#random.pick([...this.#seen.values()]) : undefined;
    if (seen === undefined) this.#configure(this.#random.pick(queues), config);
    else this.#configure(seen.taskQueue, config, seen.namespace, seen.revision);
  }

  pause(): void {
    const taskQueue = this.#random.pick(queues);
    const untilMs = this.#random.chance(0.5) ? this.#wallNow() + this.#random.int(1, 30_000) : undefined;
    const until = untilMs === undefined ? {} : { until: timestampFromMs(untilMs) };
    this.#operate("PauseTaskQueue", { taskQueue, untilMs }, async ({ operators }, { namespace, action }, options) => {
      await operators.pauseTaskQueue({ namespace, action, taskQueue, ...until }, options);
      return "";
    });
  }

  drain(): void {
    const taskQueue = this.#random.pick(queues);
    this.#operate("DrainTaskQueue", { taskQueue }, async ({ operators }, { namespace, action }, options) => {
      await operators.drainTaskQueue({ namespace, action, taskQueue }, options);
      return "";
    });
  }

  resume(): void {
    this.#resume(this.#random.pick(queues));
  }

  /** Deletes a queue, with what is in it or only if there is nothing. */
  delete(): void {
    const taskQueue = this.#random.pick(queues);
    const [purge, silent] = [this.#random.chance(0.5), this.#random.chance(0.3)];
    this.#operate(
      "DeleteTaskQueue",
      { taskQueue, purge, silent },
      async ({ operators }, { namespace, action }, options) =>
        lastOf(operators.deleteTaskQueue({ namespace, action, taskQueue, purge, silent }, options), this.#random),
    );
  }

  purge(): void {
    const filter = someFilter(this.#random);
    const [dryRun, silent] = [this.#random.chance(0.1), this.#random.chance(0.3)];
    this.#operate("PurgeTasks", { filter, dryRun, silent }, async ({ operators }, { namespace, action }, options) =>
      lastOf(
        operators.purgeTasks({ namespace, action, bulk: { filter, dryRun, limit: 5n }, silent }, options),
        this.#random,
      ),
    );
  }

  move(): void {
    const from = this.#random.pick(queues);
    const to = this.#random.pick(queues.filter(({ kind }) => kind === from.kind));
    const filter = { taskQueue: from, ...(this.#random.chance(0.5) && { priorities: [this.#random.int(2, 4)] }) };
    this.#operate("MoveTasks", { filter, to }, async ({ operators }, { namespace, action }, options) =>
      lastOf(operators.moveTasks({ namespace, action, bulk: { filter }, to }, options), this.#random),
    );
  }

  redrive(): void {
    const filter = { taskQueue: this.#random.pick(queues), states: [TaskState.FAILED, TaskState.TIMED_OUT] };
    this.#operate("RedriveTasks", { filter }, async ({ operators }, { namespace, action }, options) =>
      lastOf(operators.redriveTasks({ namespace, action, bulk: { filter, limit: 5n } }, options), this.#random),
    );
  }

  release(): void {
    const filter = someFilter(this.#random);
    this.#operate("ReleaseTasks", { filter }, async ({ operators }, { namespace, action }, options) =>
      lastOf(operators.releaseTasks({ namespace, action, bulk: { filter } }, options), this.#random),
    );
  }

  /** Asks a worker to take nothing new. */
  drainWorker({ id: workerId, namespace: ofWorker }: { readonly id: string; readonly namespace: string }): void {
    this.#operateIn(ofWorker, "DrainWorker", { workerId }, async ({ operators }, { namespace, action }, options) => {
      await operators.drainWorker({ namespace, action, workerId }, options);
      return "";
    });
  }

  /** Undoes every limit, pause and drain. */
  undo(): void {
    for (const namespace of namespaces) {
      for (const taskQueue of queues) {
        this.#resume(taskQueue, namespace);
        this.#configure(taskQueue, {}, namespace);
      }
    }
  }

  /** Creates the namespaces that are not there from the first. */
  createNamespaces(): void {
    for (const name of namespaces.slice(1)) {
      this.#operate("CreateNamespace", { name }, async ({ operators }, { action }, options) => {
        await operators.createNamespace({ action, name }, options);
        return name;
      });
    }
  }

  #resume(taskQueue: QueueRef, inNamespace = someNamespace(this.#random)): void {
    this.#operateIn(
      inNamespace,
      "ResumeTaskQueue",
      { taskQueue },
      async ({ operators }, { namespace, action }, options) => {
        const { wasPaused, wasDraining } = await operators.resumeTaskQueue({ namespace, action, taskQueue }, options);
        return `${wasPaused} ${wasDraining}`;
      },
    );
  }

  #configure(
    taskQueue: QueueRef,
    config: Config,
    inNamespace = someNamespace(this.#random),
    expectedRevision?: bigint,
  ): void {
    const id = `${inNamespace} ${taskQueue.name} ${taskQueue.kind}`;
    const expected = expectedRevision === undefined ? {} : { expectedRevision };
    const asks = { taskQueue, config, expectedRevision };
    this.#operateIn(
      inNamespace,
      "UpdateTaskQueueConfig",
      asks,
      async ({ operators }, { namespace, action }, options) => {
        const request = { namespace, action, taskQueue, config, updateMask: { paths: limits }, ...expected };
        const updated = await operators.updateTaskQueueConfig(request, options);
        const { revision = 0n } = updated.config ?? {};
        if (!this.#seen.has(id) || this.#random.chance(0.6)) this.#seen.set(id, { namespace, taskQueue, revision });
        return `${revision}`;
      },
    );
  }

  #operate(call: string, asks: unknown, operate: Operate): void {
    this.#operateIn(someNamespace(this.#random), call, asks, operate);
  }

  #operateIn(namespace: string, call: string, asks: unknown, operate: Operate): void {
    const requestId = this.#repeater.requestId();
    const action = { requestId, actor: "operator", reason: "the seed says so" };
    void this.#repeater.make({
      actor: "operator",
      request: { method: "operate", requestId, call, asks },
      send: async (services, signal) => operate(services, { namespace, action }, { signal }),
      read: (answer) => ({ method: "done", answer }),
    });
  }
}

/** How often a bulk call is broken off after its first chunk, to be repeated later. */
const brokenOff = 0.3;

/** The last word of a bulk call. One that is broken off is given up after its first word: its caller hears no more of it. */
async function lastOf(
  progress: AsyncIterable<{ readonly progress?: BulkProgress | undefined }>,
  random: Random,
): Promise<string> {
  const isBrokenOff = random.chance(brokenOff);
  let last: BulkProgress | undefined;
  for await (const message of progress) {
    last = message.progress;
    if (isBrokenOff && last?.done === false) throw new ConnectError("broken off", Code.Canceled);
  }
  return last === undefined ? "nothing" : `${last.examined} ${last.changed} ${last.skipped} ${last.done}`;
}

function someConfig(random: Random): Config {
  return {
    ...(random.chance(0.6) && someLimits(random)),
    ...(random.chance(0.6) && {
      fairnessKeys: Object.fromEntries(
        random.some(fairnessKeys, 0.4).map((key) => [key, { ...someLimits(random), ...someWeight(random) }]),
      ),
    }),
    ...(random.chance(0.3) && { defaultFairnessKey: { ...someLimits(random), ...someWeight(random) } }),
    ...(random.chance(0.2) && { maxBacklog: BigInt(random.int(5, 40)) }),
    ...(random.chance(0.2) && { defaultRetryPolicy: { maximumAttempts: random.int(1, 3) } }),
    ...(random.chance(0.2) && { defaultScheduleToStartTimeout: duration(random.int(1_000, 60_000)) }),
  };
}

function someLimits(random: Random): Omit<MessageInitShape<typeof FairnessKeyConfigSchema>, "$typeName" | "$unknown"> {
  return {
    ...(random.chance(0.6) && { ratePerSecond: random.pick([0.2, 1, 3, 10]) }),
    ...(random.chance(0.4) && { burst: random.int(1, 4) }),
    ...(random.chance(0.5) && { maxStarted: random.int(1, 4) }),
  };
}

function someWeight(random: Random): { readonly weight?: number } {
  return random.chance(0.4) ? { weight: random.pick([0.5, 1, 5]) } : {};
}

/** A few tasks. */
function someFilter(random: Random): Filter {
  return random.pick<() => Filter>([
    () => ({ taskQueue: random.pick(queues) }),
    () => ({ taskQueue: { name: "payments", kind: TaskQueueKind.UNSPECIFIED }, priorities: [random.int(1, 5)] }),
    () => ({ types: [random.pick([...activityTypes, ...workflowTypes])], fairnessKeys: [random.pick(fairnessKeys)] }),
    () => ({ serialKeys: [random.pick(serialKeys)] }),
    () => ({ idPrefix: `task-${random.int(1, 9)}` }),
    () => ({ states: [TaskState.STARTED], everything: true }),
  ])();
}
