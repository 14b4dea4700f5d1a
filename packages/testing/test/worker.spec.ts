import type { Client } from "@tq/client";
import { ApplicationFailure, commands, Context, type Worker } from "@tq/worker-sdk";
import { TestEnvironment } from "@tq/testing";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";

let env: TestEnvironment;
let client: Client;
const running: { readonly worker: Worker; readonly done: Promise<void> }[] = [];

beforeEach(async () => {
  env = await TestEnvironment.createTimeSkipping();
  client = env.client;
});
afterEach(async () => {
  await env.teardown();
  for (const { done } of running.splice(0)) await done;
});

const through = async <Value>(promise: Promise<Value>): Promise<Value> => env.skipUntil(promise);

async function start(options: Parameters<TestEnvironment["createWorker"]>[0]): Promise<Worker> {
  const worker = await env.createWorker(options);
  running.push({ worker, done: worker.run() });
  return worker;
}

describe("a worker on a whole server", () => {
  test("runs what callers ask for, checked by the compiler", async () => {
    const activities = {
      greet: async (name: string, times: number) => Array.from({ length: times }, () => `Hello, ${name}!`),
    };
    await start({ taskQueue: "q", activities });
    const remote = client.activity<typeof activities>({ taskQueue: "q" });
    const greeted = await through(remote.execute("greet", "you", 2));
    expectTypeOf(greeted).toEqualTypeOf<string[]>();
    expect(greeted).toEqual(["Hello, you!", "Hello, you!"]);
    // @ts-expect-error the second argument is a number
    const wrong = () => remote.start("greet", "you", "2");
    expect(wrong).toBeTypeOf("function");
  });

  test("tries a failed attempt again, and tells the last failure when it gives up", async () => {
    const attempts: number[] = [];
    const activities = {
      fails: async () => {
        attempts.push(Context.current().info.attempt);
        throw ApplicationFailure.create({ type: "Oops", message: "not yet" });
      },
    };
    await start({ taskQueue: "q", activities });
    const remote = client.activity<typeof activities>({ taskQueue: "q", retry: { maximumAttempts: 3 } });
    await expect(through(remote.execute("fails"))).rejects.toThrow("not yet");
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("never runs more than its slots, and is asked for no more", async () => {
    let now = 0;
    let most = 0;
    const activities = {
      slow: async () => {
        most = Math.max(most, ++now);
        await Context.current().sleep(1_000);
        now -= 1;
      },
    };
    await start({ taskQueue: "q", activities, maxConcurrentActivityTaskExecutions: 3 });
    const remote = client.activity<typeof activities>({ taskQueue: "q" });
    await through(Promise.all(Array.from({ length: 10 }, async () => remote.execute("slow"))));
    expect(most).toBe(3);
  });

  test("keeps the lease of a handler that runs longer than it", async () => {
    let runs = 0;
    const activities = {
      long: async () => {
        runs += 1;
        await Context.current().sleep(120_000);
        return "done";
      },
    };
    await start({ taskQueue: "q", activities, lease: "10s" });
    expect(await through(client.activity<typeof activities>({ taskQueue: "q" }).execute("long"))).toBe("done");
    expect(runs).toBe(1);
  });

  test("a cancel reaches the handler's signal, and the task ends as canceled", async () => {
    const activities = { forever: async () => Context.current().sleep(3_600_000) };
    await start({ taskQueue: "q", activities, maxConcurrentActivityTaskExecutions: 1 });
    const handle = await through(client.activity<typeof activities>({ taskQueue: "q" }).start("forever"));
    await env.clock.advance(2_000);
    const before = env.clock.now();
    await through(handle.cancel({ reason: "enough" }));
    await expect(through(handle.result())).rejects.toThrow(/enough|cancel/i);
    expect(env.clock.now() - before).toBeLessThan(1_000);
  });

  test("a restart of the server needs no restart of the worker", async () => {
    const activities = {
      slow: async (n: number) =>
        Context.current()
          .sleep(10_000)
          .then(() => n),
    };
    await start({ taskQueue: "q", activities });
    const remote = client.activity<typeof activities>({ taskQueue: "q" });
    const first = await through(remote.start("slow", 1));
    await env.clock.advance(1_000);
    await env.restartServer();
    expect(await through(first.result())).toBe(1);
    expect(await through(remote.execute("slow", 2))).toBe(2);
  });

  test("shutdown lets what runs end, gives back what has not begun, and another worker goes on", async () => {
    const ran: string[] = [];
    const by = (name: string) => ({
      work: async (n: number) => {
        await Context.current().sleep(1_000);
        ran.push(`${name}${n}`);
      },
    });
    const first = await start({ taskQueue: "q", activities: by("a"), maxConcurrentActivityTaskExecutions: 1 });
    const remote = client.activity<ReturnType<typeof by>>({ taskQueue: "q" });
    const handles = [await through(remote.start("work", 1)), await through(remote.start("work", 2))];
    await env.clock.advance(500);
    first.shutdown();
    await through(running[0]!.done);
    expect(ran).toEqual(["a1"]);
    await start({ taskQueue: "q", activities: by("b") });
    await through(Promise.all(handles.map(async (handle) => handle.result())));
    expect(ran).toEqual(["a1", "b2"]);
    for (const handle of handles) expect((await through(handle.describe()))?.attempt).toBe(1);
  });

  test("a workflow handler answers with commands, and hears the outcome on its own queue", async () => {
    const seen: unknown[] = [];
    await start({ taskQueue: "work", activities: { double: async (n: number) => n * 2 } });
    await start({
      taskQueue: "flows",
      workflows: {
        begin: async () => ({
          commands: [
            commands.scheduleActivity({
              taskQueue: "work",
              type: "double",
              args: [21],
              onClose: { taskQueue: "flows", type: "closed" },
            }),
          ],
        }),
        closed: async (task) => {
          seen.push(task.closedTask?.result);
        },
      },
    });
    await through(client.tasks.add({ taskQueue: "flows", kind: "workflow", type: "begin" }));
    for (let i = 0; i < 50 && seen.length === 0; i++) await env.clock.advance(100);
    expect(seen).toEqual([42]);
  });
});
