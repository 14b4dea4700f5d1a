/* Operators: they set limits, pause and drain, and do things to many tasks at once. In the end they undo it all. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
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
import { activityTypes, duration, fairnessKeys, queues, serialKeys, workflowTypes, type QueueRef } from "./scenery.ts";

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

/** Makes one call. Answers what of its answer goes into the history. */
type Operate = (services: Services, action: Action, options: { readonly signal: AbortSignal }) => Promise<string>;

/** Everyone who steers. */
export class Operators {
  readonly #random: Random;
  readonly #repeater: Repeater;
  readonly #wallNow: () => number;

  constructor(random: Random, repeater: Repeater, wallNow: () => number) {
    this.#random = random;
    this.#repeater = repeater;
    this.#wallNow = wallNow;
  }

  /** Sets some limits of a queue, and lets go of the others. */
  configure(): void {
    const taskQueue = this.#random.pick(queues);
    const config = someConfig(this.#random);
    this.#configure(taskQueue, config);
  }

  pause(): void {
    const taskQueue = this.#random.pick(queues);
    const untilMs = this.#random.chance(0.5) ? this.#wallNow() + this.#random.int(1, 30_000) : undefined;
    const until = untilMs === undefined ? {} : { until: timestampFromMs(untilMs) };
    this.#operate("PauseTaskQueue", { taskQueue, untilMs }, async ({ operators }, action, options) => {
      await operators.pauseTaskQueue({ action, taskQueue, ...until }, options);
      return "";
    });
  }

  drain(): void {
    const taskQueue = this.#random.pick(queues);
    this.#operate("DrainTaskQueue", { taskQueue }, async ({ operators }, action, options) => {
      await operators.drainTaskQueue({ action, taskQueue }, options);
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
    this.#operate("DeleteTaskQueue", { taskQueue, purge, silent }, async ({ operators }, action, options) =>
      lastOf(operators.deleteTaskQueue({ action, taskQueue, purge, silent }, options)),
    );
  }

  purge(): void {
    const filter = someFilter(this.#random);
    const [dryRun, silent] = [this.#random.chance(0.1), this.#random.chance(0.3)];
    this.#operate("PurgeTasks", { filter, dryRun, silent }, async ({ operators }, action, options) =>
      lastOf(operators.purgeTasks({ action, bulk: { filter, dryRun, limit: 5n }, silent }, options)),
    );
  }

  move(): void {
    const from = this.#random.pick(queues);
    const to = this.#random.pick(queues.filter(({ kind }) => kind === from.kind));
    const filter = { taskQueue: from, ...(this.#random.chance(0.5) && { priorities: [this.#random.int(2, 4)] }) };
    this.#operate("MoveTasks", { filter, to }, async ({ operators }, action, options) =>
      lastOf(operators.moveTasks({ action, bulk: { filter }, to }, options)),
    );
  }

  redrive(): void {
    const filter = { taskQueue: this.#random.pick(queues), states: [TaskState.FAILED, TaskState.TIMED_OUT] };
    this.#operate("RedriveTasks", { filter }, async ({ operators }, action, options) =>
      lastOf(operators.redriveTasks({ action, bulk: { filter, limit: 5n } }, options)),
    );
  }

  release(): void {
    const filter = someFilter(this.#random);
    this.#operate("ReleaseTasks", { filter }, async ({ operators }, action, options) =>
      lastOf(operators.releaseTasks({ action, bulk: { filter } }, options)),
    );
  }

  /** Asks a worker to take nothing new. */
  drainWorker(workerId: string): void {
    this.#operate("DrainWorker", { workerId }, async ({ operators }, action, options) => {
      await operators.drainWorker({ action, workerId }, options);
      return "";
    });
  }

  /** Undoes every limit, pause and drain. */
  undo(): void {
    for (const taskQueue of queues) {
      this.#resume(taskQueue);
      this.#configure(taskQueue, {});
    }
  }

  #resume(taskQueue: QueueRef): void {
    this.#operate("ResumeTaskQueue", { taskQueue }, async ({ operators }, action, options) => {
      const { wasPaused, wasDraining } = await operators.resumeTaskQueue({ action, taskQueue }, options);
      return `${wasPaused} ${wasDraining}`;
    });
  }

  #configure(taskQueue: QueueRef, config: Config): void {
    this.#operate("UpdateTaskQueueConfig", { taskQueue, config }, async ({ operators }, action, options) => {
      const updateMask = { paths: limits };
      const updated = await operators.updateTaskQueueConfig({ action, taskQueue, config, updateMask }, options);
      return `${updated.config?.revision}`;
    });
  }

  #operate(call: string, asks: unknown, operate: Operate): void {
    const requestId = this.#repeater.requestId();
    const action = { requestId, actor: "operator", reason: "the seed says so" };
    void this.#repeater.make({
      actor: "operator",
      request: { method: "operate", requestId, call, asks },
      send: async (services, signal) => operate(services, action, { signal }),
      read: (answer) => ({ method: "done", answer }),
    });
  }
}

/** The last word of a bulk call. */
async function lastOf(progress: AsyncIterable<{ readonly progress?: BulkProgress | undefined }>): Promise<string> {
  let last: BulkProgress | undefined;
  for await (const message of progress) last = message.progress;
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
