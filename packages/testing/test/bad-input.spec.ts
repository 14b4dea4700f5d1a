import type { NewTask } from "@tq/client";
import { Faults, ManualClock, MockActivityEnvironment, TestEnvironment, TestServer } from "@tq/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let env: TestEnvironment;
beforeAll(async () => {
  env = await TestEnvironment.createTimeSkipping();
});
afterAll(async () => env.teardown());

/** What a program in JavaScript may pass, whatever the types say. */
const any = (value: unknown) => value as never;

/** A refusal that names the field, also in its text. */
function naming(field: string): unknown {
  return expect.objectContaining({
    name: "TqError",
    message: expect.stringContaining(`${field}`) as string,
    fields: [{ field, description: expect.stringMatching(/\S/) as string }],
  });
}

const clock = new ManualClock();
const faults = new Faults(clock);
const mock = new MockActivityEnvironment();

describe("of the testing kit", () => {
  test.each<[field: string, call: () => unknown]>([
    ["options", async () => TestEnvironment.createTimeSkipping(any(null))],
    ["clok", async () => TestEnvironment.createTimeSkipping(any({ clok: clock }))],
    ["clock", async () => TestEnvironment.createTimeSkipping({ clock: any({ now: () => 0 }) })],
    ["client", async () => TestEnvironment.createTimeSkipping({ client: any(3) })],
    ["client.address", async () => TestEnvironment.createTimeSkipping({ client: any({ address: "127.0.0.1:7333" }) })],
    ["namespace", async () => TestEnvironment.createTimeSkipping({ client: { namespace: "" } })],
    ["options", async () => TestServer.start(any(3))],
    ["maxReplyBytes", async () => TestServer.start({ maxReplyBytes: any("1") })],
    ["maxReplyBytes", async () => TestServer.start({ maxReplyBytes: any(null) })],
    ["options", async () => env.createWorker(any(null))],
    ["address", async () => env.createWorker(any({ taskQueue: "q", activities: mock, address: "127.0.0.1:7333" }))],
    ["clock", async () => env.createWorker(any({ taskQueue: "q", activities: mock, clock }))],
    ["client", async () => env.createWorker(any({ taskQueue: "q", activities: mock, client: env.client }))],
    ["processQueue", async () => env.createWorker(any({ taskQueue: "q", activities: mock, processQueue: "yes" }))],
    ["promise", async () => env.skipUntil(any(async () => 1))],
    ["promise", async () => clock.skipUntil(any(3))],
    ["atmost", async () => clock.skipUntil(Promise.resolve(), any({ atmost: "1h" }))],
    ["atMost", async () => clock.skipUntil(Promise.resolve(), { atMost: any("1") })],
    ["duration", async () => clock.advance(any(undefined))],
    ["duration", async () => env.sleep(any("1"))],
    ["promise", async () => clock.hold(any(undefined))],
    ["startAt", () => new ManualClock(any("2026-01-01"))],
    ["downfor", async () => env.restartServer(any({ downfor: "1s" }))],
    ["downFor", async () => env.crashServer({ downFor: any("1") })],
    ["options", () => faults.loseReplies(any("AddTasks"))],
    ["call", () => faults.loseReplies(any({ call: "AddTasks" }))],
    ["calls", () => faults.loseReplies({ calls: any("AddTask") })],
    ["calls", () => faults.loseRequests({ calls: any(3) })],
    ["times", () => faults.loseRequests({ times: 1.5 })],
    ["times", () => faults.loseRequests({ times: any("2") })],
    ["delay", () => faults.slowServer(any("3"))],
    ["worker", () => faults.stallWorker(any(3))],
    ["worker", () => faults.stallWorker(any({}))],
    ["info", () => new MockActivityEnvironment(any(null))],
    ["atempt", () => new MockActivityEnvironment(any({ atempt: 2 }))],
    ["logger", () => new MockActivityEnvironment({}, any({ logger: console }))],
    ["log", () => new MockActivityEnvironment({}, { log: any({}) })],
    ["client", () => new MockActivityEnvironment({}, { client: any("c") })],
    ["activity", async () => mock.run(any(Promise.resolve()))],
    ["reason", () => mock.cancel(any("CANCELED"))],
  ])("%s, in %s", async (field, call) => {
    await expect((async () => call())()).rejects.toEqual(naming(field));
  });

  test("after all that, the environment works as before", async () => {
    const worker = await env.createWorker({ taskQueue: "still", activities: { one: async () => 1 } });
    const one = env.client.activity<{ one(): Promise<number> }>({ taskQueue: "still" }).execute("one");
    expect(await env.skipUntil(worker.runUntil(one))).toBe(1);
  });
});

const long = "l".repeat(401);
const task = (options: object) => ({ taskQueue: "q", type: "t", ...options }) as NewTask;

/** What only the server can say of an option is said by the option's name, however it is called in the contract. */
const refusedByServer: [option: string, options: object][] = [
  ["taskQueue", { taskQueue: "" }],
  ["taskQueue", { taskQueue: long }],
  ["type", { type: "" }],
  ["type", { type: long }],
  ["id", { id: long }],
  ["priority", { priority: 9 }],
  ["fairnessKey", { fairnessKey: long }],
  ["fairnessWeight", { fairnessWeight: 2_000 }],
  ["serialKey", { serialKey: long }],
  ["startDelay", { startDelay: "9999d" }],
  ["scheduleToStartTimeout", { scheduleToStartTimeout: "9999d" }],
  ["startToCloseTimeout", { startToCloseTimeout: "9999d" }],
  ["scheduleToCloseTimeout", { scheduleToCloseTimeout: "9999d" }],
  ["heartbeatTimeout", { heartbeatTimeout: "9999d" }],
  ["retention", { retention: "9999d" }],
  ["retry.initialInterval", { retry: { initialInterval: "9999d" } }],
  ["retry.maximumInterval", { retry: { maximumInterval: "9999d" } }],
  ["retry.backoffCoefficient", { retry: { backoffCoefficient: 0.5 } }],
  ["retry.jitter", { retry: { jitter: 2 } }],
  ["retry.nonRetryableFailureTypes", { retry: { nonRetryableFailureTypes: Array(101).fill("t") } }],
  ["retry.nonRetryableFailureTypes[1]", { retry: { nonRetryableFailureTypes: ["t", long] } }],
  ["headers", { headers: { a: "a".repeat(20_000) } }],
  ["args", { args: ["a".repeat(3_000_000)] }],
  ["fallback.taskQueue", { fallback: { taskQueue: "" } }],
  ["fallback.taskQueue", { fallback: { taskQueue: "q" } }],
  ["fallback.type", { fallback: { taskQueue: "r", type: long } }],
  ["onClose.taskQueue", { onClose: { taskQueue: "", type: "t" } }],
  ["onClose.type", { onClose: { taskQueue: "e", type: "" } }],
  ["onClose.serialKey", { onClose: { taskQueue: "e", type: "t", serialKey: long } }],
  ["onClose.context", { onClose: { taskQueue: "e", type: "t", context: "c".repeat(300_000) } }],
  ["onClose.priority", { onClose: { taskQueue: "e", type: "t", priority: 9 } }],
  ["onClose.fallbackTaskQueue", { onClose: { taskQueue: "e", type: "t", fallbackTaskQueue: "e" } }],
];

describe("what the server refuses is named as the author wrote it", () => {
  test.each(refusedByServer)("%s", async (option, options) => {
    const alone = env.client.tasks.add(task(options));
    await expect(env.skipUntil(alone)).rejects.toEqual(naming(option));
    const second = env.client.tasks.addMany([task({}), task(options)]);
    await expect(env.skipUntil(second)).rejects.toEqual(naming(`tasks[1].${option}`));
  });

  test.each<[option: string, filter: object]>([
    ["ids", { ids: Array(1_001).fill("i") }],
    ["priorities[0]", { priorities: [9] }],
    ["idPrefix", { idPrefix: long }],
    ["taskQueue", { taskQueue: "" }],
  ])("%s of a filter", async (option, filter) => {
    const first = env.client.tasks.list(filter)[Symbol.asyncIterator]().next();
    await expect(env.skipUntil(first)).rejects.toEqual(naming(option));
  });

  test("an option of a call", async () => {
    const canceled = env.client.tasks.cancel("a", { reason: "r".repeat(1_001) });
    await expect(env.skipUntil(canceled)).rejects.toEqual(naming("reason"));
    const first = env.client.tasks.list({}, { pageSize: 1_001 })[Symbol.asyncIterator]().next();
    await expect(env.skipUntil(first)).rejects.toEqual(naming("pageSize"));
  });
});
