import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Client, type NewTask } from "@tq/client";
import { TaskQueueKind, type TaskQueueConfigSchema, type TaskQueueDescription } from "@tq/proto";
import { Worker } from "@tq/worker-sdk";
import { startTq, type TqServer } from "../contenders/tq.ts";
import { benchFolder, type BenchFolder } from "../machine/bench-folder.ts";
import { folderBytes } from "../machine/folder-size.ts";
import { inspected } from "../machine/inspected.ts";
import { usageOf } from "../machine/process-usage.ts";
import { stampedPayload } from "../table/adapter.ts";
import { callAtOnce } from "../table/callers.ts";
import { Tally } from "../table/tally.ts";
import { type GrowthOptions, scaled } from "./scenario.ts";

/** The type of every task here unless it says otherwise. */
export const benchType = "bench";

/** How tasks are added. */
export interface AddOptions {
  /** Calls at once. Default 10. */
  readonly producers?: number;
  /** Tasks in a call. Default 100. */
  readonly batch?: number;
}

/** How a backlog is drained. */
export interface DrainOptions {
  /** Workers of 100 slots. Default 1. */
  readonly workers?: number;
  readonly slots?: number;
  /** Handler. Default: does nothing. */
  readonly handle?: (payload: string) => void | Promise<void>;
  /** After so long it is given up. Default 60 s. */
  readonly limitMs?: number;
}

/** What a drain came to. */
export interface Drained {
  readonly handled: number;
  readonly perSecond: number;
  readonly tookMs: number;
}

/** A tq server with a folder of its own, and a client of it. */
export class BenchServer {
  readonly #folder: BenchFolder;
  readonly #nodeArgs: readonly string[];
  #server: TqServer;
  #client: Client;

  private constructor(folder: BenchFolder, nodeArgs: readonly string[], server: TqServer, client: Client) {
    this.#folder = folder;
    this.#nodeArgs = nodeArgs;
    this.#server = server;
    this.#client = client;
  }

  /** A new server, warmed up: the first thousands of tasks pay for code that is compiled as it is first used. */
  static async start(scale: number, nodeArgs: readonly string[] = []): Promise<BenchServer> {
    const folder = benchFolder();
    const server = await startTq(folder.path, nodeArgs);
    const bench = new BenchServer(folder, nodeArgs, server, await Client.connect({ address: server.address }));
    await bench.warmUp(scale);
    return bench;
  }

  get client(): Client {
    return this.#client;
  }

  get address(): string {
    return this.#server.address;
  }

  /** Of the server, in MiB. */
  residentMiB(): number {
    return (usageOf(this.#server.pid)?.residentBytes ?? Number.NaN) / 2 ** 20;
  }

  /**
   * The same once V8 has let go of what nobody holds, which it does as more is needed: never at an idle server. Of a server
   * that was started with `--inspect`.
   */
  async heldMiB(): Promise<number> {
    const { call, close } = await inspected(this.#server.output());
    try {
      await call("HeapProfiler.collectGarbage");
    } finally {
      close();
    }
    return this.residentMiB();
  }

  /** That the server has used since it began, in ms. */
  cpuMs(): number {
    return usageOf(this.#server.pid)?.cpuMs ?? Number.NaN;
  }

  /** Of the server's files, in MiB. */
  dataMiB(): number {
    return folderBytes(this.#folder.path) / 2 ** 20;
  }

  /** Kills the server, and starts another on its files. Answers how long it took from the start to its first answer, in ms. */
  async killAndRestart(): Promise<number> {
    await this.#client.close();
    await this.#server.kill();
    const sinceMs = performance.now();
    this.#server = await startTq(this.#folder.path, this.#nodeArgs);
    this.#client = await Client.connect({ address: this.#server.address });
    return performance.now() - sinceMs;
  }

  /** Makes a queue remove what has completed at once, and whatever else it is told. */
  async configure(queue: string, config: MessageInitShape<typeof TaskQueueConfigSchema> = {}): Promise<void> {
    await this.#client.services.operator.updateTaskQueueConfig({
      namespace: "default",
      taskQueue: { name: queue, kind: TaskQueueKind.ACTIVITY },
      config: { completedRetention: durationFromMs(0), ...config },
    });
  }

  /** What the server says of a queue. */
  async describe(queue: string): Promise<TaskQueueDescription | undefined> {
    const taskQueue = { name: queue, kind: TaskQueueKind.ACTIVITY };
    const response = await this.#client.services.operator.describeTaskQueue({ namespace: "default", taskQueue });
    return response.taskQueues[0];
  }

  /** Adds tasks of 256 bytes. Answers how many a second. */
  async add(
    queue: string,
    count: number,
    taskAt: (index: number) => Partial<NewTask> = () => ({}),
    { producers = 10, batch = 100 }: AddOptions = {},
  ): Promise<number> {
    let next = 0;
    const sinceMs = performance.now();
    await callAtOnce(producers, Infinity, () => {
      const size = Math.min(batch, count - next);
      if (size <= 0) return false;
      const first = next;
      next += size;
      const newTask = (_: unknown, index: number): NewTask => ({
        taskQueue: queue,
        type: benchType,
        args: [stampedPayload()],
        ...taskAt(first + index),
      });
      return this.#client.tasks.addMany(Array.from({ length: size }, newTask));
    });
    return (1_000 * count) / (performance.now() - sinceMs);
  }

  /** Handles so many of a queue's tasks; a worker that has more than that gives the others back. */
  async drain(queue: string, count: number, options: DrainOptions = {}): Promise<Drained> {
    const { handle = () => {}, limitMs = 60_000 } = options;
    const tally = new Tally();
    let sinceMs = 0;
    const workers = await this.work(queue, options, async (payload) => {
      // What it takes to begin is not what is asked for.
      if (sinceMs === 0) sinceMs = performance.now();
      await handle(payload);
      tally.handler(payload);
    });
    await tally.until(count, limitMs);
    const tookMs = performance.now() - sinceMs;
    const { handled } = tally;
    await workers.stop();
    return { handled, perSecond: (1_000 * handled) / tookMs, tookMs };
  }

  /** Has workers handle a queue's tasks until they are stopped. */
  async work(
    queue: string,
    { workers = 1, slots = 100 }: Pick<DrainOptions, "workers" | "slots">,
    handle: (payload: string) => void | Promise<void>,
  ): Promise<{ stop(): Promise<void> }> {
    const activities = { [benchType]: async (payload: string): Promise<void> => handle(payload) };
    const created = await Promise.all(
      Array.from({ length: workers }, () =>
        Worker.create({
          address: this.address,
          taskQueue: queue,
          activities,
          maxConcurrentActivityTaskExecutions: slots,
          shutdownGraceTime: "1s",
        }),
      ),
    );
    const running = Promise.all(created.map((worker) => worker.run()));
    return {
      async stop() {
        for (const worker of created) worker.shutdown();
        await running;
      },
    };
  }

  /** Adds and handles some tasks of a queue of its own, 30,000 at full scale unless it is told. */
  async warmUp(scale: number, atFullScale = 30_000): Promise<void> {
    const tasks = scaled(atFullScale, scale);
    await this.configure("warm-up");
    await this.add("warm-up", tasks);
    await this.drain("warm-up", tasks);
  }

  /** Ends the server and removes its files. */
  async stop(): Promise<void> {
    await this.#client.close();
    await this.#server.stop();
    this.#folder.remove();
  }
}

/** Lends a new server, and ends it whatever happens. `nodeArgs` are Node's own, such as `--inspect`. */
export async function withServer<T>(
  { scale }: Pick<GrowthOptions, "scale">,
  use: (server: BenchServer) => Promise<T>,
  nodeArgs: readonly string[] = [],
): Promise<T> {
  const server = await BenchServer.start(scale, nodeArgs);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}
