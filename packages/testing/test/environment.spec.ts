import { execFile } from "node:child_process";
import { pbkdf2, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type ActivityOptions, Client } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { ManualClock, TestEnvironment } from "@tq/testing";
import { ApplicationFailure, CancelledFailure, Context, threadActivity } from "@tq/worker-sdk";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const hour = 3_600_000;
let env: TestEnvironment;
beforeEach(async () => {
  env = await TestEnvironment.createTimeSkipping();
});
afterEach(async () => {
  await env.teardown();
});

/** Runs one activity to its result on a worker of its own. */
async function execute<A extends object>(
  activities: A,
  name: keyof A & string,
  options: Partial<ActivityOptions> = {},
): Promise<unknown> {
  const worker = await env.createWorker({ taskQueue: "q", activities });
  const result = env.client
    .activity<Record<string, () => Promise<unknown>>>({ taskQueue: "q", ...options })
    .execute(name);
  return env.skipUntil(worker.runUntil(result));
}

describe("time", () => {
  test("a retry policy of hours is gone through by the clock, an hour between attempts", async () => {
    const attemptsAt: number[] = [];
    const activities = {
      async flaky() {
        attemptsAt.push(env.currentTimeMs());
        if (attemptsAt.length < 3) throw ApplicationFailure.retryable("not yet");
        return "done";
      },
    };
    const retry = { initialInterval: "1h", maximumInterval: "1h", maximumAttempts: 3 } as const;
    expect(await execute(activities, "flaky", { retry })).toBe("done");
    const waits = attemptsAt.slice(1).map((at, i) => at - attemptsAt[i]!);
    expect(waits.map((ms) => Math.round(ms / 1_000))).toEqual([3_600, 3_600]);
  });

  test("an hour in which nothing happens costs its polls, and no timer of the machine", async () => {
    const realTimers = vi.spyOn(globalThis, "setTimeout");
    const clock = new ManualClock();
    let fired = 0;
    const { after, setTimeout } = clock;
    const counted = (callback: () => void) => () => {
      fired += 1;
      callback();
    };
    clock.after = (ms, callback) => after(ms, counted(callback));
    clock.setTimeout = (callback, ms) => setTimeout(counted(callback), ms);
    await using idle = await TestEnvironment.createTimeSkipping({ clock });
    const unary = idle.transport.unary.bind(idle.transport);
    let calls = 0;
    idle.transport.unary = async (...call) => {
      calls += 1;
      return unary(...call);
    };
    const worker = await idle.createWorker({ taskQueue: "q", activities: { async nothing() {} } });
    const running = worker.run();
    await idle.sleep("1 minute");
    [fired, calls] = [0, 0];
    await idle.sleep("1h");
    // Every 10 s the worker looks whether it has something to say, and each minute the server ends its two polls.
    expect(fired).toBeLessThanOrEqual(360 + 2 * 60 + 4);
    expect(calls).toBeLessThanOrEqual(2 * 60 + 4);
    expect(realTimers).not.toHaveBeenCalled();
    worker.shutdown();
    await idle.skipUntil(running);
  });

  test("a handler that sleeps for an hour keeps its lease all the while", async () => {
    let runs = 0;
    const activities = {
      async long() {
        runs += 1;
        await Context.current().sleep("1 hour");
        return runs;
      },
    };
    expect(await execute(activities, "long", { startToCloseTimeout: "1d" })).toBe(1);
  });

  test("takes durations as text, and fires what is on the way in order and at its time", async () => {
    const clock = new ManualClock(0);
    const fired: [string, number][] = [];
    clock.after(2 * hour, () => fired.push(["two hours", clock.now()]));
    clock.after(hour, () => {
      fired.push(["an hour", clock.now()]);
      clock.after(60_000, () => fired.push(["a minute later", clock.now()]));
    });
    await clock.advance("1.5h");
    expect(fired).toEqual([
      ["an hour", hour],
      ["a minute later", hour + 60_000],
    ]);
    expect(clock.now()).toBe(1.5 * hour);
    await expect(clock.advance("soon" as "1h")).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("calls that overlap move the clock one after the other", async () => {
    const clock = new ManualClock(0);
    await Promise.all([clock.advance("1h"), clock.advance("1h")]);
    expect(clock.now()).toBe(2 * hour);
  });

  test("skipUntil jumps from timer to timer, and no further than it must", async () => {
    const clock = new ManualClock(0);
    const third = new Promise<string>((resolve) => {
      clock.after(hour, () => clock.after(hour, () => clock.after(hour, () => resolve("third"))));
    });
    clock.after(4 * hour, () => {});
    expect(await clock.skipUntil(third)).toBe("third");
    expect([clock.now(), clock.waiting]).toEqual([3 * hour, 1]);
  });

  test("skipUntil throws what the promise does, and needs no time for one that has settled", async () => {
    const clock = new ManualClock(0);
    await expect(clock.skipUntil(Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await clock.skipUntil(Promise.resolve(1))).toBe(1);
    expect(clock.now()).toBe(0);
  });

  test("skipUntil says so if nothing is left that could settle the promise, or it takes too long", async () => {
    const clock = new ManualClock(0);
    await expect(clock.skipUntil(new Promise(() => {}))).rejects.toThrow("no timer is left to fire");
    clock.after(2 * hour, () => {});
    await expect(clock.skipUntil(new Promise(() => {}), { atMost: "1h" })).rejects.toThrow("within 1h");
    // It can be moved on afterwards.
    await clock.advance("1h");
    const noWorker = env.client.activity<{ f(): Promise<void> }>({ taskQueue: "nobody" }).execute("f");
    noWorker.catch(() => {});
    await expect(env.skipUntil(noWorker, { atMost: "10 minutes" })).rejects.toThrow("is there a worker");
  });
});

describe("quiet", () => {
  /** An activity that takes real time, and a timer that shows whether the clock ran away meanwhile. */
  async function clockDuring(work: () => Promise<unknown>): Promise<number> {
    let tookMs = -1;
    const activities = {
      async work() {
        const from = env.currentTimeMs();
        await work();
        tookMs = env.currentTimeMs() - from;
      },
    };
    await execute(activities, "work");
    return tookMs;
  }

  test.each<[string, () => Promise<unknown>]>([
    [
      "reads and writes files",
      async () => {
        const folder = await mkdtemp(join(tmpdir(), "tq-quiet-"));
        for (let i = 0; i < 20; i++) await writeFile(join(folder, `${i}`), Buffer.alloc(1_000_000));
        for (let i = 0; i < 20; i++) await readFile(join(folder, `${i}`));
        await rm(folder, { recursive: true });
      },
    ],
    ["derives a key", async () => promisify(pbkdf2)("secret", "salt", 50_000, 32, "sha256")],
    ["compresses what cannot be compressed", async () => promisify(gzip)(randomBytes(1_000_000))],
    [
      "goes through many rounds of the event loop",
      async () => {
        for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
      },
    ],
    [
      "waits for a process that the clock is told to hold for",
      async () => env.clock.hold(promisify(execFile)(process.execPath, ["-e", ""])),
    ],
  ])("the clock stands still while a handler %s", async (_, work) => {
    expect(await clockDuring(work)).toBe(0);
  });

  test("the clock stands still while a handler runs in a thread, if an interceptor holds it", async () => {
    const module = new URL("data:text/javascript,export default async (name) => `Hello, ${name}!`");
    const activities = { greet: threadActivity<(name: string) => Promise<string>>(module) };
    const worker = await env.createWorker({
      taskQueue: "q",
      activities,
      interceptors: { activity: [() => ({ inbound: { execute: (input, next) => env.clock.hold(next(input)) } })] },
    });
    const running = worker.run();
    const from = env.currentTimeMs();
    const result = env.client.activity<typeof activities>({ taskQueue: "q" }).execute("greet", "you");
    expect(await env.skipUntil(result)).toBe("Hello, you!");
    expect(env.currentTimeMs() - from).toBe(0);
    // The end of a thread is real, too.
    worker.shutdown();
    await running;
  });
});

describe("faults", () => {
  const activities = { greet: async (name: string) => `Hello, ${name}!` };
  const greet = async (client = env.client) =>
    client.activity<typeof activities>({ taskQueue: "q" }).execute("greet", "you");

  test.each(["AddTasks", "PollTasks", "RespondTasks", "GetTasks"] as const)(
    "a lost reply to %s has no effect that shows",
    async (calls) => {
      let runs = 0;
      const counted = { greet: async (name: string) => ((runs += 1), activities.greet(name)) };
      const worker = await env.createWorker({ taskQueue: "q", activities: counted });
      const fault = env.faults.loseReplies({ calls, times: 2 });
      expect(await env.skipUntil(worker.runUntil(greet()))).toBe("Hello, you!");
      expect([fault.hits > 0 || calls === "RespondTasks", runs]).toEqual([true, 1]);
    },
  );

  test.each([
    ["calls", { calls: ["AddTask"] }],
    ["times", { times: 0 }],
    ["times", { times: Number.NaN }],
  ])("a fault that could never be met is refused: %s", (field, options) => {
    const refused: unknown = expect.objectContaining({ fields: [expect.objectContaining({ field })] });
    expect(() => env.faults.loseReplies(options as never)).toThrow(refused);
  });

  test("a lost request is made again, and `using` ends the fault", async () => {
    {
      using fault = env.faults.loseRequests({ calls: "AddTasks" });
      const added = env.client.tasks.add({ taskQueue: "q", type: "greet" });
      added.catch(() => {});
      await env.sleep("1s");
      expect(fault.hits).toBeGreaterThan(1);
      await expect(env.skipUntil(added)).rejects.toMatchObject({ code: "unavailable" });
    }
    expect(await execute(activities, "greet")).toContain("Hello");
  });

  test("a slow server is waited for, by the clock", async () => {
    env.faults.slowServer("3s", { calls: "AddTasks" });
    const from = env.currentTimeMs();
    await env.skipUntil(env.client.tasks.add({ taskQueue: "q", type: "greet" }));
    expect(env.currentTimeMs() - from).toBe(3_000);
  });

  test("a call whose deadline comes before its reply fails at the deadline", async () => {
    const client = Client.create({
      transport: env.transport,
      clock: env.clock,
      callTimeout: "2s",
      retry: { giveUpAfter: 0 },
    });
    env.faults.slowServer("1h", { calls: "AddTasks" });
    const from = env.currentTimeMs();
    const added = client.tasks.add({ taskQueue: "q", type: "greet" });
    await expect(env.skipUntil(added)).rejects.toMatchObject({ code: "deadline_exceeded" });
    expect(env.currentTimeMs() - from).toBe(2_000);
    await client.close();
  });

  test("a stalled worker loses its lease, its handler is told, and another worker does the task", async () => {
    const told: unknown[] = [];
    const by = (name: string) => ({
      async work() {
        if (name === "other") return "done by the other";
        await Context.current()
          .sleep("1h")
          .catch((error: unknown) => {
            told.push(error instanceof CancelledFailure ? error.reason : error);
            throw error;
          });
        return "done by the stalled one";
      },
    });
    const stalled = await env.createWorker({ taskQueue: "q", activities: by("stalled"), lease: "10s" });
    const stalledRun = stalled.run();
    const handle = await env.skipUntil(env.client.activity<ReturnType<typeof by>>({ taskQueue: "q" }).start("work"));
    await env.sleep("1s");
    const fault = env.faults.stallWorker(stalled);
    // As long as nobody else is there, what it lost is dispatched to its polls, which wait still.
    await env.sleep("30s");
    const other = await env.createWorker({ taskQueue: "q", activities: by("other") });
    expect(await env.skipUntil(other.runUntil(handle.result()))).toBe("done by the other");
    fault.clear();
    await env.sleep("1 minute");
    // Once for what it ran, and once for what came too late with the reply to each of the two polls that were held up.
    expect(told).toEqual(["LEASE_LOST", "LEASE_LOST", "LEASE_LOST"]);
    stalled.shutdown();
    await env.skipUntil(stalledRun);
  });

  test("a server that is away for a minute loses nothing, however it went", async () => {
    const worker = await env.createWorker({
      taskQueue: "q",
      activities: {
        async slow() {
          await Context.current().sleep("90s");
          return Context.current().info.attempt;
        },
      },
    });
    for (const go of ["restartServer", "crashServer"] as const) {
      const running = go === "restartServer" ? worker.run() : undefined;
      running?.catch(() => {});
      const remote = env.client.activity<{ slow(): Promise<number> }>({ taskQueue: "q" });
      const handle = await env.skipUntil(remote.start("slow"));
      await env.sleep("1s");
      await env[go]({ downFor: "1 minute" });
      expect(await env.skipUntil(handle.result())).toBe(1);
    }
  });

  test("a crash undoes what was not committed, and fails what was under way", async () => {
    const kept = await env.skipUntil(env.client.tasks.add({ taskQueue: "q", type: "kept" }));
    const lost = env.client.services.tasks.addTasks({
      tasks: [{ id: "lost", taskQueue: { name: "q", kind: TaskQueueKind.ACTIVITY }, type: "lost" }],
    });
    lost.catch(() => {});
    // The server has it, and takes it into a commit with the next round of the event loop, which does not come.
    for (let i = 0; i < 1_000; i++) await Promise.resolve();
    await env.crashServer();
    await expect(env.skipUntil(lost)).rejects.toMatchObject({ code: "unavailable" });
    expect((await env.skipUntil(kept.describe()))?.state).toBe("READY");
    await expect(env.skipUntil(env.client.tasks.get("lost"))).rejects.toMatchObject({ code: "not_found" });
  });
});

test("teardown ends workers that run, and leaves nothing that waits", async () => {
  const clock = new ManualClock();
  const other = await TestEnvironment.createTimeSkipping({ clock });
  const worker = await other.createWorker({
    taskQueue: "q",
    activities: { forever: async () => Context.current().sleep("10d") },
  });
  const running = worker.run();
  await other.skipUntil(other.client.tasks.add({ taskQueue: "q", type: "forever" }));
  await other.sleep("1s");
  await other.teardown();
  await running;
  expect([worker.getState(), clock.waiting]).toEqual(["STOPPED", 0]);
});

test("teardown tells of timers that the test has left behind", async () => {
  const other = await TestEnvironment.createTimeSkipping();
  other.clock.after(1_000, () => {});
  await expect(other.teardown()).rejects.toThrow("1 timers still wait");
});
