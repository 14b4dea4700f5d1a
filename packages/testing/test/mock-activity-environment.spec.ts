import { readFile } from "node:fs/promises";
import { MockActivityEnvironment, TestEnvironment } from "@tq/testing";
import { CancelledFailure, Context, type LogFields } from "@tq/worker-sdk";
import { describe, expect, test } from "vitest";

/** Copies in ten steps of a minute, from where the last attempt got to. */
async function copy(from: string, to: string): Promise<string> {
  const { info, log } = Context.current();
  const begun = (info.heartbeatDetails as { step: number } | undefined)?.step ?? 0;
  for (let step = begun + 1; step <= 10; step++) {
    await Context.current().sleep("1 minute");
    Context.current().heartbeat({ step });
  }
  log.info({ from, to }, "copied");
  return `${to} after attempt ${info.attempt}`;
}

describe("an activity by itself", () => {
  test("runs with what the test wants it to find, by a clock that the test moves", async () => {
    const env = new MockActivityEnvironment({ attempt: 3, heartbeatDetails: { step: 7 } });
    const from = env.clock.now();
    expect(await env.clock.skipUntil(env.run(copy, "a", "b"))).toBe("b after attempt 3");
    expect(env.heartbeats).toEqual([{ step: 8 }, { step: 9 }, { step: 10 }]);
    expect(env.clock.now() - from).toBe(180_000);
  });

  test("a misspelled part of the task's info is refused: the handler would find its default", () => {
    expect(() => new MockActivityEnvironment({ atempt: 3 } as never)).toThrow("atempt: is no part of a task's info");
  });

  test("tells of each heartbeat as it comes, as the next attempt would find it", async () => {
    const env = new MockActivityEnvironment();
    const told: unknown[] = [];
    env.on("heartbeat", (details) => told.push(details));
    await env.run(async () => Context.current().heartbeat({ at: new Date(0), left: undefined }));
    expect(told).toEqual([{ at: "1970-01-01T00:00:00.000Z" }]);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    await expect(env.run(async () => Context.current().heartbeat(cycle))).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  test("is canceled when the test says so, with the reason that it gives", async () => {
    const env = new MockActivityEnvironment();
    const running = env.run(copy, "a", "b");
    await env.clock.advance("90s");
    env.cancel("WORKER_SHUTDOWN");
    const failure: unknown = await running.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CancelledFailure);
    expect(failure).toMatchObject({ reason: "WORKER_SHUTDOWN" });
    expect([env.heartbeats, env.clock.waiting]).toEqual([[{ step: 1 }], 0]);
  });

  test("gives the test what is logged, and stands still while files are read", async () => {
    const lines: (readonly [LogFields, string])[] = [];
    const ignore = () => {};
    const info = (fields: LogFields, message: string) => void lines.push([fields, message]);
    const env = new MockActivityEnvironment({}, { log: { debug: ignore, info, warn: ignore, error: ignore } });
    const running = env.run(async () => {
      for (let i = 0; i < 50; i++) await readFile(import.meta.filename);
      return copy("a", "b");
    });
    await env.clock.advance("10 minutes");
    expect(await running).toBe("b after attempt 1");
    expect(lines).toEqual([[{ from: "a", to: "b" }, "copied"]]);
  });

  test("is not the current context of anything else", async () => {
    await new MockActivityEnvironment().run(async () => Context.current());
    expect(() => Context.current()).toThrow("outside of a handler");
  });
});

test("an activity by itself has the client that the test gives it", async () => {
  await using server = await TestEnvironment.createTimeSkipping();
  const env = new MockActivityEnvironment({}, { client: server.client, clock: server.clock });
  const added = env.run(async () => Context.current().client.tasks.add({ taskQueue: "q", type: "next" }));
  expect((await env.clock.skipUntil(added)).existed).toBe(false);
  const without = new MockActivityEnvironment();
  await expect(without.run(async () => Context.current().client)).rejects.toThrow("without a worker");
});
