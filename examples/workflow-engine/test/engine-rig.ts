import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestEnvironment } from "@tq/testing";
import type { Worker } from "@tq/worker-sdk";
import { Engine, type EngineOptions } from "../src/engine.ts";
import { WorkflowClient } from "../src/workflow-client.ts";
import { sampleOrder, shopActivities, workflows } from "./shop.ts";

/** A server in process, the workers of the shop, and engines one after the other on one file. */
export class EngineRig {
  readonly env: TestEnvironment;
  readonly file: string;
  readonly flows: WorkflowClient<typeof workflows>;
  /** Activities that were done. */
  readonly done: string[] = [];
  /** What engines complained of. */
  readonly troubles: string[] = [];
  /** Workflows in the order of their ends, as engines told. */
  readonly ended: string[] = [];
  readonly #folder: string;
  readonly #engines: Engine[] = [];

  private constructor(env: TestEnvironment, folder: string) {
    this.env = env;
    this.#folder = folder;
    this.file = join(folder, "engine.log");
    this.flows = new WorkflowClient<typeof workflows>(env.client, "engine");
  }

  static async create(): Promise<EngineRig> {
    const env = await TestEnvironment.createTimeSkipping();
    return new EngineRig(env, await mkdtemp(join(tmpdir(), "tq-engine-")));
  }

  /** An engine that has begun. */
  async startEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
    const { env, file } = this;
    const engine = new Engine({
      client: env.client,
      taskQueue: "engine",
      file,
      workflows,
      onEnd: (workflow) => this.ended.push(workflow),
      onTrouble: (text) => this.troubles.push(text),
      ...options,
    });
    this.#engines.push(engine);
    await engine.start();
    return engine;
  }

  /** Starts the shop's worker. */
  async openShop(): Promise<Worker> {
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const worker = await this.env.createWorker({ taskQueue: "shop", activities: shopActivities(this.done), logger });
    void worker.run();
    return worker;
  }

  async startOrders(numbers: readonly number[]): Promise<void> {
    const starts = numbers.map(sampleOrder).map(async ({ id, order, isApproved }) => {
      await this.flows.start("order", id, order);
      if (isApproved) await this.flows.signal("order", id, "approved", "alice");
    });
    await this.env.skipUntil(Promise.all(starts));
  }

  /** Moves the clock until so many workflows have ended. @throws Error if they have not after ten minutes. */
  async untilEnded(count: number): Promise<void> {
    const { clock } = this.env;
    for (let second = 0; second < 600 && this.ended.length < count; second++) await clock.advance("1s");
    if (this.ended.length < count) throw new Error(`${this.ended.length} of ${count} workflows have ended`);
  }

  async stop(engine: Engine): Promise<void> {
    await this.env.skipUntil(engine.stop());
  }

  /** Ids of tasks that are open on the server. */
  async openIds(): Promise<string[]> {
    const open = async () => {
      const ids: string[] = [];
      const states = ["READY", "SCHEDULED", "STARTED"] as const;
      for await (const { id } of this.env.client.tasks.list({ states: [...states] })) ids.push(id);
      return ids;
    };
    return this.env.skipUntil(open());
  }

  async close(): Promise<void> {
    this.env.faults.clear();
    for (const engine of this.#engines) await this.stop(engine).catch(() => {});
    await this.env.teardown();
    await rm(this.#folder, { recursive: true });
  }
}
