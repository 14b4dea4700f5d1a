import { Client } from "@tq/client";
import { describe, expect, test } from "vitest";
import { FakeServer } from "../test/fake-server.ts";
import { ManualClock } from "../test/manual-clock.ts";
import { checkCommand, commands } from "./commands.ts";
import { defineActivity } from "./define-activity.ts";
import { HandlerCache } from "./handler-cache.ts";
import { shutdownOnSignals } from "./shutdown-on-signals.ts";
import { TaskPoller } from "./task-poller.ts";
import { threadActivity } from "./thread-activity.ts";
import { Worker } from "./worker.ts";

/** What a program in JavaScript may pass, whatever the types say. */
const any = (value: unknown) => value as never;

/** A refusal that names the field, with text that begins with it. */
function naming(field: string): unknown {
  return expect.objectContaining({
    name: "TqError",
    code: "invalid_argument",
    message: expect.stringContaining(`${field}: `) as string,
    fields: [{ field, description: expect.stringMatching(/\S/) as string }],
  });
}

const { transport } = new FakeServer(new ManualClock());
const fixed = { type: "fixed-size", numSlots: 5 };
const targets = { targetMemoryUsage: 0.8, targetCpuUsage: 0.8 };

/** Options that workers and pollers share. */
const sessions: [field: string, options: object][] = [
  ["taskQueue", { taskQueue: "" }],
  ["taskQueue", { taskQueue: 3 }],
  ["taskQueue", { taskQueue: "q".repeat(201) }],
  ["taskqueue", { taskqueue: "q" }],
  ["client", { client: {} }],
  ["client", { client: "127.0.0.1:7333" }],
  ["address", { client: Client.create({ transport }), address: "127.0.0.1:7333" }],
  ["address", { address: "127.0.0.1:7333", transport }],
  ["address", { address: 7333 }],
  ["transport", { transport: {} }],
  ["namespace", { namespace: "" }],
  ["identity", { identity: "" }],
  ["identity", { identity: 12 }],
  ["identity", { identity: "i".repeat(201) }],
  ["buildId", { buildId: 12 }],
  ["buildId", { buildId: "b".repeat(201) }],
  ["identity", { identity: null }],
  ["buildId", { buildId: null }],
  ["client", { client: null }],
  ["lease", { lease: null }],
  ["shutdownForceTime", { shutdownForceTime: null }],
  ["logger", { logger: null }],
  ["lease", { lease: "10ms" }],
  ["lease", { lease: "13h" }],
  ["lease", { lease: {} }],
  ["renewalThread", { renewalThread: "no" }],
  ["reportBlockedEventLoopAfter", { reportBlockedEventLoopAfter: "2" }],
  ["shutdownGraceTime", { shutdownGraceTime: -1 }],
  ["shutdownForceTime", { shutdownForceTime: "soon" }],
  ["logger", { logger: console.log }],
  ["clock", { clock: {} }],
  ["newId", { newId: "id" }],
  ["random", { random: 0.5 }],
  ["payloadConverter", { payloadConverter: {} }],
  ["payloadCodecs", { payloadCodecs: {} }],
  ["encodeCommonAttributes", { encodeCommonAttributes: 1 }],
];

describe("of a worker that is made", () => {
  test.each<[field: string, options: unknown]>([
    ["activities", { activities: 3 }],
    ["activities", { activities: null }],
    ["activities", { activities: {} }],
    ["workflows", { workflows: [] }],
    ["workflows.run", { workflows: { run: "run" } }],
    ["processQueue", { processQueue: "yes" }],
    ["maxConcurrentActivityTaskExecutions", { maxConcurrentActivityTaskExecutions: 0 }],
    ["maxConcurrentActivityTaskExecutions", { maxConcurrentActivityTaskExecutions: "5" }],
    ["maxConcurrentWorkflowTaskExecutions", { maxConcurrentWorkflowTaskExecutions: 10_001 }],
    ["maxConcurrentActivityTaskExecutions", { maxConcurrentActivityTaskExecutions: null }],
    ["maxCachedBytes", { maxCachedBytes: null }],
    ["weighCached", { weighCached: null }],
    ["maxActivitiesPerSecond", { maxActivitiesPerSecond: "5" }],
    ["maxTaskQueueActivitiesPerSecond", { maxTaskQueueActivitiesPerSecond: 0 }],
    ["maxCachedWorkflows", { maxCachedWorkflows: "5" }],
    ["maxCachedBytes", { maxCachedBytes: "5", weighCached: () => 1 }],
    ["weighCached", { maxCachedBytes: 5 }],
    ["weighCached", { weighCached: 3 }],
    ["interceptors", { interceptors: null }],
    ["interceptors.activities", { interceptors: { activities: [] } }],
    ["interceptors.activity", { interceptors: { activity: {} } }],
    ["tuner", { tuner: 5 }],
    ["tuner.activitySlots", { tuner: { activitySlots: fixed } }],
    ["tuner.activityTaskSlotSupplier", { tuner: { activityTaskSlotSupplier: 5 } }],
    ["tuner.activityTaskSlotSupplier.slots", { tuner: { activityTaskSlotSupplier: { ...fixed, slots: 3 } } }],
    ["tuner.activityTaskSlotSupplier.numSlots", { tuner: { activityTaskSlotSupplier: { type: "fixed-size" } } }],
    ["tuner.workflowTaskSlotSupplier.type", { tuner: { workflowTaskSlotSupplier: { type: "other" } } }],
    ["tuner.tunerOptions", { tuner: { tunerOptions: 3 } }],
    ["tuner.tunerOptions.targetCpuUsage", { tuner: { tunerOptions: { targetMemoryUsage: 0.8 } } }],
    ["tuner.tunerOptions.cpu", { tuner: { tunerOptions: { ...targets, cpu: 1 } } }],
    [
      "tuner.activityTaskSlotOptions.minimumSlots",
      { tuner: { tunerOptions: targets, activityTaskSlotOptions: { minimumSlots: null } } },
    ],
    ["tuner.tunerOptions.resources", { tuner: { tunerOptions: { ...targets, resources: null } } }],
    [
      "tuner.activityTaskSlotOptions.maxSlots",
      { tuner: { tunerOptions: targets, activityTaskSlotOptions: { maxSlots: 3 } } },
    ],
    [
      "maxConcurrentActivityTaskExecutions",
      { tuner: { activityTaskSlotSupplier: fixed }, maxConcurrentActivityTaskExecutions: 5 },
    ],
    [
      "maxConcurrentWorkflowTaskExecutions",
      { tuner: { tunerOptions: targets }, maxConcurrentWorkflowTaskExecutions: 5 },
    ],
    ...sessions,
  ])("%s, as in %o", async (field, options) => {
    const complete = { taskQueue: "q", activities: { async a() {} }, ...(options as object) };
    await expect(Worker.create(any(complete))).rejects.toEqual(naming(field));
  });

  test.each([null, undefined, "q", 3, []])("the options as a whole, where they are %o", async (options) => {
    await expect(Worker.create(any(options))).rejects.toEqual(naming("options"));
    await expect(TaskPoller.create(any(options))).rejects.toEqual(naming("options"));
  });

  test("a number of slots beside a tuner that leaves that kind alone is what it says", async () => {
    const worker = await Worker.create({
      taskQueue: "q",
      activities: { async a() {} },
      transport,
      tuner: { workflowTaskSlotSupplier: { type: "fixed-size", numSlots: 5 } },
      maxConcurrentActivityTaskExecutions: 7,
    });
    expect(worker.config.slots).toMatchObject({ activity: { numSlots: 7 }, workflow: { numSlots: 5 } });
  });
});

test.each<[field: string, options: object]>([
  ["kind", { kind: "flow" }],
  ["types", { types: "t" }],
  ["types", { types: [] }],
  ["maxConcurrentTasks", { maxConcurrentTasks: "5" }],
  ["maxConcurrentTasks", { maxConcurrentTasks: null }],
  ...sessions,
])("of a task poller that is made: %s, as in %o", async (field, options) => {
  const complete = { taskQueue: "q", kind: "activity", types: ["t"], ...options };
  await expect(TaskPoller.create(any(complete))).rejects.toEqual(naming(field));
});

const schema = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
const threads = new URL("file:///handler.js");

describe("of what is called", () => {
  test.each<[field: string, call: () => unknown]>([
    ["task", () => commands.addTask(any(null))],
    ["id", () => checkCommand(commands.addTask({ taskQueue: "q", type: "t", id: any(null) }))],
    ["id", () => checkCommand(commands.scheduleActivity({ taskQueue: "q", type: "t", id: any(null) }))],
    ["task", () => commands.scheduleActivity(any("t"))],
    ["options", () => commands.activity(any(null)).schedule(any("a"))],
    ["options", () => commands.startTimer(any(3))],
    ["delay", () => commands.startTimer(any({ taskQueue: "q", type: "t" }))],
    ["delay", () => commands.startTimer({ taskQueue: "q", type: "t", delay: any("1") })],
    ["type", () => commands.startTimer(any({ taskQueue: "q", delay: 1 }))],
    ["after", () => commands.startTimer(any({ taskQueue: "q", type: "t", delay: 1, after: 1 }))],
    ["headers", () => commands.startTimer({ taskQueue: "q", type: "t", delay: 1, headers: any("h") })],
    [
      "fallbackTaskQueue",
      () => commands.startTimer({ taskQueue: "q", type: "t", delay: 1, fallbackTaskQueue: any(1) }),
    ],
    ["id", () => commands.cancelTask(any(3))],
    ["reason", () => commands.cancelTask("a", any({ reason: 3 }))],
    ["why", () => commands.cancelTask("a", any({ why: "x" }))],
    ["options", () => defineActivity(any(null), async () => 1)],
    ["input", () => defineActivity(any({ input: {} }), async () => 1)],
    ["fn", () => defineActivity({ input: schema }, any(3))],
    ["defaults", () => defineActivity({ input: schema, defaults: any(3) }, async () => 1)],
    ["defaults.type", () => defineActivity({ input: schema, defaults: any({ type: "t" }) }, async () => 1)],
    ["defaults.timeout", () => defineActivity({ input: schema, defaults: any({ timeout: 3 }) }, async () => 1)],
    [
      "defaults.retry.jitter",
      () => defineActivity({ input: schema, defaults: { retry: { jitter: any("a") } } }, () => 1),
    ],
    ["module", () => threadActivity("./handler.js")],
    ["options", () => threadActivity(threads, any(null))],
    ["export", () => threadActivity(threads, { export: any(3) })],
    ["maxThreads", () => threadActivity(threads, { maxThreads: any("3") })],
    ["idleTimeout", () => threadActivity(threads, { idleTimeout: any("3") })],
    ["terminateOnCancel", () => threadActivity(threads, { terminateOnCancel: any("no") })],
    ["resourceLimits", () => threadActivity(threads, { resourceLimits: any(3) })],
    ["options", () => new HandlerCache(any(undefined))],
    ["maxEntries", () => new HandlerCache(any({ maxBytes: 1, weigh: () => 1 }))],
    ["weigh", () => new HandlerCache(any({ maxEntries: 1, maxBytes: 1 }))],
    ["workers", () => shutdownOnSignals(any({}))],
    ["workers[0]", () => shutdownOnSignals(any([null]))],
    ["options", () => shutdownOnSignals([], any(null))],
    ["signals", () => shutdownOnSignals([], { signals: any("SIGTERM") })],
    ["signals[0]", () => shutdownOnSignals([], { signals: any(["TERM"]) })],
  ])("%s, in %s", (field, call) => {
    expect(call).toThrow(naming(field));
  });

  test("a worker does not run until what is no promise, nor tell its state to what is no function", async () => {
    const worker = await Worker.create({ taskQueue: "q", activities: { async a() {} }, transport });
    await expect(worker.runUntil(any(3))).rejects.toEqual(naming("until"));
    expect(() => worker.onStateChange(any("STOPPED"))).toThrow(naming("listener"));
    expect(worker.getState()).toBe("INITIALIZED");
  });
});
