import { decodePayload } from "@tq/client";
import { TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { rig } from "../test/rig.ts";
import { commands } from "./commands.ts";
import { Context } from "./context.ts";
import type { ActivityInterceptorsFactory, WorkflowInterceptorsFactory } from "./interceptors.ts";

const workflowQueue = { name: "q", kind: TaskQueueKind.WORKFLOW };

test("interceptors of activities stand around each call, the first outermost, and share what they know of an attempt", async () => {
  const log: string[] = [];
  const traced =
    (name: string): ActivityInterceptorsFactory =>
    ({ info }) => {
      let beats = 0;
      return {
        inbound: {
          async execute(input, next) {
            log.push(`${name} in ${info.taskId} ${input.headers["tenant"]}`);
            const result = await next({ ...input, args: [...input.args, name] });
            log.push(`${name} out after ${beats}`);
            return `${name}(${String(result)})`;
          },
        },
        outbound: {
          heartbeat: ({ details }, next) => {
            beats++;
            next({ details: `${name} ${String(details)}` });
          },
        },
      };
    };
  const { clock, server } = await rig({
    activities: {
      async work(...args: string[]) {
        Context.current().heartbeat("half");
        await Context.current().sleep("3s");
        return args.join(" ");
      },
    },
    interceptors: { activity: [traced("outer"), () => ({}), traced("inner")] },
  });
  server.add("a", "work", { args: ["x"], headers: { tenant: "t1" } });
  await clock.advance(5_000);
  const answer = server.answers.get("a")!.answer;
  expect(answer.case === "completed" && decodePayload(answer.value.result)).toBe("outer(inner(x outer inner))");
  expect(log).toEqual(["outer in a t1", "inner in a t1", "inner out after 1", "outer out after 1"]);
  const beats = server.renews.flatMap(({ heartbeats }) => heartbeats.map(({ details }) => decodePayload(details)));
  expect(beats).toEqual(["inner outer half"]);
});

test("interceptors of workflow tasks stand around the handler, and around each command", async () => {
  const tenants: WorkflowInterceptorsFactory = () => {
    let tenant = "";
    return {
      inbound: {
        async execute(input, next) {
          tenant = input.headers["tenant"] ?? "";
          const completion = (await next(input)) ?? {};
          return { ...completion, result: "intercepted" };
        },
      },
      outbound: {
        schedule({ command }, next) {
          if (command.command !== "scheduleActivity") return next({ command });
          return next({ command: { ...command, task: { ...command.task, headers: { tenant } } } });
        },
      },
    };
  };
  const { server } = await rig({
    workflows: {
      advance: () => ({
        commands: [commands.scheduleActivity({ taskQueue: "files", type: "hash" }), commands.cancelTask("old")],
      }),
    },
    interceptors: { workflow: [tenants] },
  });
  server.add("w", "advance", { taskQueue: workflowQueue, headers: { tenant: "t1" } });
  await settle();
  const answer = server.answers.get("w")!.answer;
  if (answer.case !== "completed") throw new Error(`w is ${answer.case}`);
  expect(decodePayload(answer.value.result)).toBe("intercepted");
  expect(answer.value.commands.map(({ command }) => command)).toMatchObject([
    { case: "scheduleActivityTask", value: { task: { headers: { tenant: "t1" } } } },
    { case: "cancelTask", value: { id: "old" } },
  ]);
});

test.each<[string, ActivityInterceptorsFactory]>([
  [
    "a factory",
    () => {
      throw new Error("not today");
    },
  ],
  ["an interceptor", () => ({ inbound: { execute: () => Promise.reject(new Error("not today")) } })],
])("what %s throws fails the attempt, and the worker goes on", async (_what, factory) => {
  const { server, worker } = await rig({ activities: { work: () => 1 }, interceptors: { activity: [factory] } });
  server.add("a", "work");
  await settle();
  expect(server.answers.get("a")?.answer).toMatchObject({
    case: "failed",
    value: { failure: { message: "not today" } },
  });
  expect(worker.getState()).toBe("RUNNING");
});
