import { ApplicationFailure, Client, TaskCanceledError, TaskFailedError, TqError } from "@tq/client";
import { Context } from "@tq/worker-sdk";
import { afterEach, expect, test } from "vitest";
import { TestEnvironment } from "../src/index.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server, a worker whose activity leaves its answer to others, and a client of another process. */
async function rig() {
  const environment = await TestEnvironment.createTimeSkipping();
  cleanUps.push(() => environment.teardown());
  const tokens: Uint8Array[] = [];
  const work = async () => {
    const worker = await environment.createWorker({
      taskQueue: "q",
      maxConcurrentActivityTaskExecutions: 1,
      activities: {
        ask(): string {
          const context = Context.current();
          tokens.push(context.info.taskToken);
          return context.completeAsync();
        },
      },
    });
    const running = worker.run();
    return async () => {
      worker.shutdown();
      await environment.skipUntil(running);
    };
  };
  const { clock, transport } = environment;
  const elsewhere = Client.create({ clock, transport });
  cleanUps.push(() => elsewhere.close());
  const ask = () =>
    environment.client.tasks.add<string>({ taskQueue: "q", type: "ask", retry: { initialInterval: 0 } });
  return { clock, tokens, work, ask, completion: elsewhere.asyncCompletion };
}

const lost = (error: unknown) => expect(error).toMatchObject({ code: "failed_precondition", reason: "LEASE_LOST" });

test("a client of another process completes and fails what handlers left, while the worker takes more in its one slot", async () => {
  const { clock, tokens, work, ask, completion } = await rig();
  const stop = await work();
  const [first, second] = [await ask(), await ask()];
  await clock.settle();
  expect(tokens).toHaveLength(2);
  // Far longer than the lease: the worker keeps it.
  await clock.advance("10 minutes");
  await completion.complete(tokens[0]!, "answered");
  await completion.fail(tokens[1]!, ApplicationFailure.nonRetryable("no answer", "Unanswered"));
  expect(await first.result()).toBe("answered");
  await expect(second.result()).rejects.toThrow(TaskFailedError);
  await completion.complete(tokens[0]!, "again");
  expect(await first.result()).toBe("answered");
  await stop();
});

test("heartbeats keep a task for who has its token once its worker has gone, and tell of a cancel", async () => {
  const { clock, tokens, work, ask, completion } = await rig();
  const stop = await work();
  const handle = await ask();
  await clock.settle();
  await stop();
  const stopOther = await work();
  for (let minute = 0; minute < 5; minute++) {
    for (let n = 0; n < 3; n++) {
      await clock.advance("20s");
      expect(await completion.heartbeat(tokens[0]!, { minute, n })).toEqual({
        cancelRequested: false,
        cancelReason: "",
      });
    }
  }
  expect(await handle.describe()).toMatchObject({ state: "STARTED", attempt: 1 });
  await handle.cancel({ reason: "not needed" });
  expect(await completion.heartbeat(tokens[0]!)).toEqual({ cancelRequested: true, cancelReason: "not needed" });
  await completion.reportCancellation(tokens[0]!);
  await expect(handle.result()).rejects.toThrow(TaskCanceledError);
  expect(tokens).toHaveLength(1);
  await stopOther();
});

test("without heartbeats the task of a worker that has gone is tried again within its lease, and the old token is lost", async () => {
  const { clock, tokens, work, ask, completion } = await rig();
  const stop = await work();
  const handle = await ask();
  await clock.settle();
  await stop();
  const stopOther = await work();
  await clock.advance("40s");
  expect(tokens).toHaveLength(2);
  for (const call of [completion.heartbeat(tokens[0]!), completion.complete(tokens[0]!, "late")]) {
    await call.then(() => expect.unreachable(), lost);
  }
  await completion.complete(tokens[1]!, "in time");
  expect(await handle.result()).toBe("in time");
  await stopOther();
});

test("what is no token is refused as such", async () => {
  const { completion } = await rig();
  const error = await completion.complete(new Uint8Array([1, 2])).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TqError);
  expect(error).toMatchObject({ code: "invalid_argument", reason: "MALFORMED_TOKEN" });
  await expect(completion.heartbeat(new Uint8Array([1, 2]))).rejects.toMatchObject({ reason: "MALFORMED_TOKEN" });
});
