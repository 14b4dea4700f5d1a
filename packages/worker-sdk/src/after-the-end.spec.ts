import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { Context } from "./context.ts";

test("a handler that calls back after its end changes nothing, and the worker goes on", async () => {
  let context: Context | undefined;
  const { clock, server, worker } = await rig({
    activities: {
      work() {
        context = Context.current();
        return 1;
      },
    },
  });
  server.add("a", "work");
  await settle();
  const { attempt } = context!.info;
  context!.heartbeat({ done: 7 });
  const slept = context!.sleep("2s").then(() => "slept");
  expect(() => context!.completeAsync()).toThrow("completed later");
  context!.log.info({}, "still here");
  await clock.advance(5_000);
  await expect(slept).resolves.toBe("slept");
  expect(attempt).toBe(1);
  expect(server.renews.flatMap(({ heartbeats }) => heartbeats)).toEqual([]);
  expect(server.answered("completed")).toBe("a");
  expect([worker.getState(), worker.getStatus().heldTasks]).toEqual(["RUNNING", 0]);
});

test("a handler that ignores its signal runs on; what it returns then is its result after a cancel, and dropped after a lost lease", async () => {
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const { clock, server, worker, lines } = await rig({
    activities: {
      work(id: string) {
        const end = gate<string>();
        ends.set(id, end);
        return end.promise;
      },
    },
  });
  for (const id of ["a", "b"]) server.add(id, "work", { args: [id] });
  await clock.advance(500);
  server.cancel("a");
  server.lose("b");
  await clock.advance(1_000);
  expect(worker.getStatus().runningHandlers).toBe(2);
  for (const end of ends.values()) end.resolve("late");
  await clock.advance(1_000);
  expect(server.answered("completed")).toBe("a");
  expect(server.answers.has("b")).toBe(false);
  expect(lines.filter(({ message }) => message.startsWith("An answer was dropped")).length).toBe(1);
});

test.each<[string, unknown]>([
  [
    "whose `then` throws",
    {
      // oxlint-disable-next-line unicorn/no-thenable -- the worker awaits what it is given
      get then() {
        throw new Error("no then");
      },
    },
  ],
  [
    "that throws when it is read",
    new Proxy(
      {},
      {
        get(_target, key) {
          if (key === "then") return undefined;
          throw new Error("no peeking");
        },
        ownKeys() {
          throw new Error("no keys");
        },
      },
    ),
  ],
  ["whose `toJSON` throws a string", { toJSON: thrower }],
])("a handler that returns an object %s fails its attempt, and the worker goes on", async (_what, returned) => {
  const { server, worker } = await rig({ activities: { work: () => returned } });
  server.add("a", "work");
  await settle();
  expect(server.answers.get("a")?.answer.case).toBe("failed");
  expect(worker.getState()).toBe("RUNNING");
});

function thrower(): never {
  // What is thrown is the point.
  // oxlint-disable-next-line typescript/only-throw-error
  throw "never";
}

/** Runs `test/rejecting-worker.ts`, and answers what it printed and how it ended. */
async function rejecting(what: "handler" | "other"): Promise<{ code: number | null; out: string; err: string }> {
  const program = fileURLToPath(new URL("../test/rejecting-worker.ts", import.meta.url));
  const child = spawn(process.execPath, [program, what], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const ended = Promise.withResolvers<number | null>();
  child.once("close", ended.resolve);
  return { code: await ended.promise, out, err };
}

test("a rejection that a handler did not await is logged with its task, and the worker goes on", async () => {
  const { code, out } = await rejecting("handler");
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toEqual([
    { taskId: "a", error: "at once" },
    { taskId: "a", error: "undefined" },
    { taskId: "a", error: "in a while, after its end" },
    { answers: ["a", "b"] },
  ]);
  expect(code).toBe(0);
});

test("any other unhandled rejection ends the process, as Node has it", async () => {
  const { code, err } = await rejecting("other");
  expect(err).toContain("nobody's");
  expect(code).toBe(1);
});
