import { afterAll, describe, expect, test } from "vitest";
import { fakeServer, silent } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import { CompressionCodec } from "./compression-codec.ts";
import { EncryptionCodec } from "./encryption-codec.ts";

/** Every call that gets as far as a server fails this way. */
const transport = fakeServer({});
const client = Client.create({ transport, logger: silent });
afterAll(async () => client.close());

const task = { taskQueue: "q", type: "t" };
/** What a program in JavaScript may pass, whatever the types say. */
const any = (value: unknown) => value as never;
const token = new Uint8Array([1]);

/** A refusal that names the field, with text that begins with it. */
function naming(field: string): unknown {
  return expect.objectContaining({
    name: "TqError",
    code: "invalid_argument",
    message: expect.stringContaining(`${field}: `) as string,
    fields: [{ field, description: expect.stringMatching(/\S/) as string }],
  });
}

describe("of a client that is made", () => {
  test.each<[field: string, options: unknown]>([
    ["options", null],
    ["options", "127.0.0.1:7333"],
    ["options", []],
    ["address", { address: 7333 }],
    ["address", { address: "" }],
    ["address", { address: "127.0.0.1:7333", transport }],
    ["httpVersion", { httpVersion: "2", transport }],
    ["httpVersion", { httpVersion: 2 }],
    ["transport", { transport: 3 }],
    ["transport", { transport: { unary() {} } }],
    ["namespace", { namespace: "" }],
    ["namespace", { namespace: null }],
    ["namespace", { namespace: "n".repeat(201) }],
    ["callTimeout", { callTimeout: 0 }],
    ["callTimeout", { callTimeout: "10" }],
    ["closeTimeout", { closeTimeout: -1 }],
    ["retry", { retry: 3 }],
    ["retry.giveUpAfter", { retry: { giveUpAfter: {} } }],
    ["coalescing", { coalescing: null }],
    ["coalescing.maxTasksPerCall", { coalescing: { maxTasksPerCall: "1000" } }],
    ["coalescing.maxTasksPerCall", { coalescing: { maxTasksPerCall: 1.5 } }],
    ["coalescing.maxBytesPerCall", { coalescing: { maxBytesPerCall: Number.NaN } }],
    ["coalescing.maxCallsInFlight", { coalescing: { maxCallsInFlight: 0 } }],
    ["backPressure", { backPressure: true }],
    ["backPressure.maxWaitingTasks", { backPressure: { maxWaitingTasks: "5" } }],
    ["interceptors[0]", { interceptors: [3] }],
    ["tracer", { tracer: {} }],
    ["meter", { meter: {} }],
    ["encodeCommonAttributes", { encodeCommonAttributes: "yes" }],
    ["clock", { clock: Date }],
    ["newId", { newId: "id" }],
    ["random", { random: 0.5 }],
  ])("%s, as in %o", (field, options) => {
    expect(() => Client.create(any(options))).toThrow(naming(field));
  });

  test.each<[field: string, make: () => unknown]>([
    ["options", () => new CompressionCodec(any(null))],
    ["minBytes", () => new CompressionCodec({ minBytes: any("1024") })],
    ["maxDecodedBytes", () => new CompressionCodec({ maxDecodedBytes: any({}) })],
    ["options", () => new EncryptionCodec(any(undefined))],
    ["keyId", () => new EncryptionCodec({ keyId: any(1), keys: {} })],
    ["keys", () => new EncryptionCodec({ keyId: "a", keys: any(null) })],
    [
      "refusePlaintext",
      () => new EncryptionCodec({ keyId: "a", keys: { a: new Uint8Array(32) }, refusePlaintext: any(1) }),
    ],
  ])("a codec's %s", (field, make) => {
    expect(make).toThrow(naming(field));
  });
});

describe("of a call", () => {
  const handle = client.tasks.getHandle("id");
  test.each<[field: string, call: () => unknown]>([
    ["task", () => client.tasks.add(any(null))],
    ["task", () => client.tasks.add(any("t"))],
    ["signal", () => client.tasks.add(task, any({ signal: 3 }))],
    ["options", () => client.tasks.add(task, any(3))],
    ["timeout", () => client.tasks.add(task, any({ timeout: 3 }))],
    ["tasks", () => client.tasks.addMany(any(3))],
    ["tasks", () => client.tasks.addMany(any(new Set([task])))],
    ["tasks[1]", () => client.tasks.addMany([task, any(null)])],
    ["tasks[1].type", () => client.tasks.addMany([task, any({ taskQueue: "q" })])],
    ["tasks[1].retry.attempts", () => client.tasks.addMany([task, any({ ...task, retry: { attempts: 1 } })])],
    ["signal", () => client.tasks.addMany([], any({ signal: true }))],
    ["source", () => client.tasks.addAll(any(3))],
    ["source", () => client.tasks.addAll(any("tasks"))],
    ["onadded", () => client.tasks.addAll([], any({ onadded() {} }))],
    ["onRefused", () => client.tasks.addAll([], any({ onRefused: true }))],
    ["task", () => client.tasks.execute(any(undefined))],
    ["signal", () => client.tasks.execute(task, any({ signal: "5s" }))],
    ["id", () => client.tasks.getHandle(any(3))],
    ["id", () => client.tasks.getHandle("")],
    ["id", () => client.tasks.get(any({ id: "a" }))],
    ["ids", () => client.tasks.getMany(any("abc"))],
    ["ids[1]", () => client.tasks.getMany(["a", any(3)])],
    ["id", () => client.tasks.result("i".repeat(401))],
    ["signal", () => handle.result(any({ signal: 3 }))],
    ["options", () => handle.result(any(null))],
    ["signal", () => handle.describe(any({ signal: {} }))],
    ["reason", () => handle.cancel(any({ reason: 3 }))],
    ["force", () => handle.cancel(any({ force: "yes" }))],
    ["forced", () => handle.cancel(any({ forced: true }))],
    ["ids", () => client.tasks.cancelMany(any("abc"))],
    ["options", () => client.tasks.list(any(3))],
    ["taskqueue", () => client.tasks.list(any({ taskqueue: "q" }))],
    ["taskQueue", () => client.tasks.list(any({ taskQueue: ["q"] }))],
    ["kind", () => client.tasks.list({ taskQueue: "q", kind: any("flow") })],
    ["kind", () => client.tasks.list({ kind: "activity" })],
    ["types", () => client.tasks.list({ types: any("t") })],
    ["priorities[0]", () => client.tasks.list({ priorities: any(["high"]) })],
    ["addedAfter", () => client.tasks.list({ addedAfter: any("2026-01-01") })],
    ["addedBefore", () => client.tasks.list({ addedBefore: new Date("never") })],
    ["pageSize", () => client.tasks.list({}, { pageSize: any("100") })],
    ["includePayloads", () => client.tasks.list({}, { includePayloads: any(1) })],
    ["options", () => client.activity(any("q"))],
    ["taskQueue", () => client.activity(any({}))],
    ["taskqueue", () => client.activity(any({ taskQueue: "q", taskqueue: "q" }))],
    ["activities", () => client.activity(any({ taskQueue: "q", activities: 3 }))],
    ["retry.maximumAttempts", () => client.activity({ taskQueue: "q", retry: { maximumAttempts: any("3") } })],
    ["options", () => client.activity({ taskQueue: "q" }).with(any(null))],
    ["options", () => client.workflow(any(undefined))],
    ["priority", () => client.workflow({ taskQueue: "q", priority: any("high") })],
    ["options", () => client.workflow({ taskQueue: "q" }).with(any(3))],
    ["taskToken", () => client.asyncCompletion.complete(any("token"))],
    ["taskToken", () => client.asyncCompletion.fail(new Uint8Array(), new Error("no"))],
    ["taskToken", () => client.asyncCompletion.reportCancellation(any(undefined))],
    ["taskToken", () => client.asyncCompletion.heartbeat(any({}))],
    ["signal", () => client.asyncCompletion.heartbeat(token, undefined, any({ signal: 1 }))],
    ["signal", () => client.asyncCompletion.complete(token, 1, any({ signal: 1 }))],
  ])("%s, in %s", async (field, call) => {
    await expect((async () => call())()).rejects.toEqual(naming(field));
  });
});
