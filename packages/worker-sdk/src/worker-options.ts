import { hostname } from "node:os";
import type { Transport } from "@connectrpc/connect";
import {
  Client,
  type Clock,
  type Duration,
  durationToMs,
  type IdSource,
  invalidField,
  type KnownOptions,
  type PayloadConverter,
  refuseUnknownOptions,
} from "@tq/client";
import {
  type ActivityHandler,
  activityHandlers,
  type AnyWorkflowHandler,
  workflowHandlers,
  type WorkflowHandlers,
} from "./handlers.ts";
import { type Logger, stderrLogger } from "./logger.ts";

/** Options of {@link Worker.create}. Only `taskQueue` and handlers of some kind are required. */
export interface WorkerOptions {
  /** The queue to take tasks from: of its two kinds, those that there are handlers for. */
  readonly taskQueue: string;
  /** Activities by name: an object or module whose functions they are. What is not a function is passed over. */
  readonly activities?: object;
  /** Workflow handlers by type. */
  readonly workflows?: WorkflowHandlers;
  /** Activities that run at once at most, 1 to 10,000. Default 100. */
  readonly maxConcurrentActivityTaskExecutions?: number;
  /** Workflow tasks that run at once at most, 1 to 10,000. Default 40: they are short, and hold up their workflow only. */
  readonly maxConcurrentWorkflowTaskExecutions?: number;
  /** A client to share. The worker does not close it. Default: one of its own, made of the next four options. */
  readonly client?: Client;
  /** Where the server is. Default `127.0.0.1:7333`. */
  readonly address?: string;
  /** Any Connect transport, instead of `address`. */
  readonly transport?: Transport;
  /** Default `default`. */
  readonly namespace?: string;
  /** Turns arguments and results into payloads and back. Default: as the client has it. */
  readonly payloadConverter?: PayloadConverter;
  /** Who the worker is, for people. At most 200 bytes. Default `<process id>@<host>`. */
  readonly identity?: string;
  /** Version of the worker's code. At most 200 bytes. Default none. */
  readonly buildId?: string;
  /**
   * How long the server waits for a sign of life before it gives a task to somebody else, 1 s to 12 h. It has nothing to do
   * with how long handlers take: the worker renews its leases. Default 30 s: long enough for a hiccup, short enough that
   * the tasks of a worker that was killed do not wait long.
   */
  readonly lease?: Duration;
  /** How long `shutdown()` lets handlers go on before their signals are aborted. Default 10 s. */
  readonly shutdownGraceTime?: Duration;
  /** How long after `shutdown()` handlers that still run are given up and their tasks given back. Default: 5 s after the grace time. */
  readonly shutdownForceTime?: Duration;
  /** Default: warnings and errors to stderr, one line each. */
  readonly logger?: Logger;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Makes the ids of the worker, its polls and its calls. Default: UUIDv7. */
  readonly newId?: IdSource;
  /** Randomness for waits, 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** {@link WorkerOptions}, complete and checked. */
export interface WorkerConfig {
  readonly taskQueue: string;
  readonly activities: ReadonlyMap<string, ActivityHandler>;
  readonly workflows: ReadonlyMap<string, AnyWorkflowHandler>;
  readonly activitySlots: number;
  readonly workflowSlots: number;
  readonly client: Client;
  /** True: the worker closes it. */
  readonly ownsClient: boolean;
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
  readonly leaseMs: number;
  readonly shutdownGraceMs: number;
  readonly shutdownForceMs: number;
  readonly logger: Logger;
}

const workerOptions: KnownOptions<WorkerOptions> = {
  taskQueue: true,
  activities: true,
  workflows: true,
  maxConcurrentActivityTaskExecutions: true,
  maxConcurrentWorkflowTaskExecutions: true,
  client: true,
  address: true,
  transport: true,
  namespace: true,
  payloadConverter: true,
  identity: true,
  buildId: true,
  lease: true,
  shutdownGraceTime: true,
  shutdownForceTime: true,
  logger: true,
  clock: true,
  newId: true,
  random: true,
};

/**
 * Checks the options and fills in the defaults, once.
 *
 * @throws TqError `invalid_argument` naming the option.
 */
export function compileWorkerConfig(options: WorkerOptions): WorkerConfig {
  refuseUnknownOptions(options, workerOptions);
  const { taskQueue, client: shared } = options;
  if (typeof taskQueue !== "string" || taskQueue === "")
    throw invalidField("taskQueue", "a worker needs the name of a queue");
  const activities = activityHandlers(options.activities ?? {});
  const workflows = workflowHandlers(options.workflows ?? {});
  if (activities.size + workflows.size === 0) {
    throw invalidField("activities", "a worker needs a handler: give it `activities`, `workflows` or both");
  }
  if (shared !== undefined)
    refuseBeside(options, ["address", "transport", "namespace", "payloadConverter", "clock", "newId", "random"]);
  const leaseMs = within(1_000, durationToMs(options.lease ?? "30s", "lease"), 12 * 3_600_000, "lease");
  const shutdownGraceMs = durationToMs(options.shutdownGraceTime ?? "10s", "shutdownGraceTime");
  const client = shared ?? Client.create(clientOptions(options));
  return Object.freeze<WorkerConfig>({
    taskQueue,
    activities,
    workflows,
    activitySlots: slots(options.maxConcurrentActivityTaskExecutions ?? 100, "maxConcurrentActivityTaskExecutions"),
    workflowSlots: slots(options.maxConcurrentWorkflowTaskExecutions ?? 40, "maxConcurrentWorkflowTaskExecutions"),
    client,
    ownsClient: shared === undefined,
    workerId: client.config.newId(),
    identity: options.identity ?? `${process.pid}@${hostname()}`,
    buildId: options.buildId ?? "",
    leaseMs,
    shutdownGraceMs,
    shutdownForceMs: Math.max(
      shutdownGraceMs,
      durationToMs(options.shutdownForceTime ?? shutdownGraceMs + 5_000, "shutdownForceTime"),
    ),
    logger: options.logger ?? stderrLogger,
  });
}

function clientOptions({ address, transport, namespace, payloadConverter, clock, newId, random }: WorkerOptions) {
  return {
    ...(address !== undefined && { address }),
    ...(transport !== undefined && { transport }),
    ...(namespace !== undefined && { namespace }),
    ...(payloadConverter !== undefined && { payloadConverter }),
    ...(clock !== undefined && { clock }),
    ...(newId !== undefined && { newId }),
    ...(random !== undefined && { random }),
  };
}

/** With a shared client these are the client's to say; that they would be ignored should not come as a surprise later. */
function refuseBeside(options: WorkerOptions, names: readonly (keyof WorkerOptions)[]): void {
  const name = names.find((each) => options[each] !== undefined);
  if (name !== undefined) throw invalidField(name, "give it to the client that is passed as `client`, not beside it");
}

function slots(value: number, field: string): number {
  if (!Number.isInteger(value)) throw invalidField(field, `${value} is no whole number`);
  return within(1, value, 10_000, field);
}

function within(minimum: number, value: number, maximum: number, field: string): number {
  if (value < minimum || value > maximum) throw invalidField(field, `${value} is not from ${minimum} to ${maximum}`);
  return value;
}
