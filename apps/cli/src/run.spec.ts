import { Code, ConnectError } from "@connectrpc/connect";
import type { ClientOptions } from "@tq/client";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";
import { expect, test } from "vitest";
import { parsed, startTq, tq, type World } from "../test/tq.ts";
import { commandNameOf } from "./command-name.ts";

test("takes address and namespace from the options, else the environment, else the defaults", async () => {
  const ls = ["queue", "ls"];
  const env = { TQ_ADDRESS: "tq:1", TQ_NAMESPACE: "shop" };
  const defaults = { address: "127.0.0.1:7333", namespace: "default", output: "table", timeoutMs: 10_000 };
  expect((await parsed(ls)).globals).toEqual(defaults);
  expect((await parsed(ls, { TQ_ADDRESS: "", TQ_NAMESPACE: "" })).globals).toEqual(defaults);
  expect((await parsed(ls, env)).globals).toMatchObject({ address: "tq:1", namespace: "shop" });
  const argv = [...ls, "--address", "tq:2", "-n", "lab", "-o", "json", "--timeout", "1s"];
  const globals = { address: "tq:2", namespace: "lab", output: "json", timeoutMs: 1_000 };
  expect((await parsed(argv, env)).globals).toEqual(globals);
  expect((await parsed([...argv.slice(2), ...ls], env)).globals).toEqual(globals);
});

test("makes the client with them, which tries a call once", async () => {
  const made: ClientOptions[] = [];
  const operator: World["operator"] = { listTaskQueues: () => ({}) };
  await tq(["queue", "ls", "--address", "tq:2", "-n", "lab", "--timeout", "1s"], {
    operator,
    onClient: (o) => made.push(o),
  });
  expect(made).toMatchObject([{ address: "tq:2", namespace: "lab", callTimeout: 1_000, retry: { giveUpAfter: 0 } }]);
});

test.each([
  [["--bogus"], "unknown option '--bogus'"],
  [["queu"], "unknown command 'queu'\n(Did you mean queue?)"],
  [["queue", "lss"], "unknown command 'lss'\n(Did you mean ls?)\nRun `tq queue --help`"],
  [["queue", "ls", "-o", "yaml"], "Allowed choices are table, json."],
  [["queue", "ls", "--timeout", "0s"], "Give at least 1ms."],
])("%j is wrong usage: exit 2", async (argv, message) => {
  const { code, stdout, stderr } = await tq(argv);
  expect(stderr).toMatch(/^tq: /);
  expect(stderr).toContain(message);
  expect([code, stdout]).toEqual([2, ""]);
});

test("help and version go to stdout with exit 0; without a command, help goes to stderr with exit 2", async () => {
  for (const argv of [["--help"], ["help"], ["task", "--help"], ["task", "help", "add"]]) {
    const { code, stdout, stderr } = await tq(argv);
    expect(stdout).toMatch(/^Usage: tq/);
    expect([code, stderr]).toEqual([0, ""]);
  }
  expect(await tq(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) as string });
  for (const argv of [[], ["task"]]) {
    const { code, stdout, stderr } = await tq(argv);
    expect(stderr).toMatch(/^Usage: tq/);
    expect([code, stdout]).toEqual([2, ""]);
  }
});

function refusing(code: Code, message: string): World {
  return {
    operator: {
      listTaskQueues: () => {
        throw new ConnectError(message, code);
      },
    },
  };
}

test("what the server refuses is told in its words: exit 1, or 2 where an argument was wrong", async () => {
  expect(await tq(["queue", "ls"], refusing(Code.NotFound, "no namespace x"))).toEqual({
    code: 1,
    stdout: "",
    stderr: "tq: no namespace x\n",
  });
  expect((await tq(["queue", "ls"], refusing(Code.InvalidArgument, "name_prefix: too long"))).code).toBe(2);
});

test("says what to type where the server only says which call to make", async () => {
  const listTaskQueues = () => {
    const info = { desc: ErrorInfoSchema, value: { domain: "tq", reason: "NAMESPACE_NOT_FOUND" } };
    throw new ConnectError('no namespace "x"', Code.NotFound, undefined, [info]);
  };
  const { code, stderr } = await tq(["queue", "ls", "-n", "x"], { operator: { listTaskQueues } });
  expect(stderr).toBe('tq: no namespace "x"\n`tq namespace ls` lists them, `tq namespace create NAME` creates one.\n');
  expect(code).toBe(1);
});

test("shows stacks with TQ_DEBUG=1 only", async () => {
  const world = refusing(Code.Internal, "incident 7");
  expect((await tq(["queue", "ls"], world)).stderr).toBe("tq: incident 7\n");
  const { stderr } = await tq(["queue", "ls"], { ...world, env: { TQ_DEBUG: "1" } });
  expect(stderr).toMatch(/^tq: TqError: incident 7\n {4}at /);
  expect(stderr).toContain("\ncaused by ConnectError");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["output-closed", 0],
] as const)("%s exits %i, without a message", async (interruption, expected) => {
  const { promise: isAsked, resolve } = Promise.withResolvers<void>();
  const operator: World["operator"] = {
    listTaskQueues: () => {
      resolve();
      return new Promise(() => {});
    },
  };
  const running = startTq(["queue", "ls"], { operator });
  await isAsked;
  running.interrupt(interruption);
  expect(await running.ended).toEqual({ code: expected, stdout: "", stderr: "" });
});

test("colours on a terminal only, and not with NO_COLOR", async () => {
  const operator: World["operator"] = { listNamespaces: () => ({ namespaces: [{ name: "default" }] }) };
  const ls = ["namespace", "ls"];
  const isPlain = async (world: World) => !(await tq(ls, { operator, ...world })).stdout.includes("\u001b[");
  expect(await isPlain({ isTTY: true, env: {} })).toBe(false);
  expect(await isPlain({})).toBe(true);
  expect(await isPlain({ isTTY: true, env: { NO_COLOR: "1" } })).toBe(true);
  expect(await isPlain({ isTTY: true, env: { TERM: "dumb" } })).toBe(true);
});

test("hints are typed as the user types", () => {
  expect(commandNameOf({})).toBe("tq");
  expect(commandNameOf({ npm_lifecycle_event: "start" })).toBe("pnpm tq");
  const npx = { npm_lifecycle_event: "start", npm_execpath: "/root/.npm/_npx/9c/node_modules/pnpm/pnpm" };
  expect(commandNameOf(npx)).toBe("npx pnpm@12 tq");
});
