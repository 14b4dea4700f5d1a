import { expect, test } from "vitest";
import { Code, fakeServer, refusal } from "../test/fake-server.ts";
import { ManualClock } from "../test/manual-clock.ts";
import { Client } from "./client.ts";
import type { LogFields } from "./logger.ts";

test("a server that is away for a minute is two lines in the log, whatever is tried meanwhile", async () => {
  const clock = new ManualClock();
  let isAway = false;
  const transport = fakeServer({
    addTasks: ({ tasks }) => {
      if (isAway) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
      return { tasks: tasks.map(({ id }) => ({ id, run: 1 })) };
    },
    getTasks: () => {
      if (isAway) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
      return {};
    },
  });
  const lines: (LogFields & { message: string })[] = [];
  const log = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  const logger = { debug: log, info: log, warn: log, error: log };
  const client = Client.create({ transport, clock, logger, random: () => 1, retry: { giveUpAfter: "2 minutes" } });
  const add = () => client.tasks.add({ taskQueue: "q", type: "t" });
  await add();
  expect(lines).toEqual([]);
  isAway = true;
  const calls = [add(), client.tasks.getMany(["a"]), add()];
  await clock.advance(60_000);
  isAway = false;
  await clock.advance(10_000);
  await Promise.all(calls);
  expect(lines).toMatchObject([
    { message: "Calls to the tq server fail; they are tried again", error: "going" },
    { message: "Calls to the tq server go through again", seconds: expect.closeTo(60, -1) as unknown },
  ]);
  await client.close();
});

test("what is wrong with a call is no line", async () => {
  const lines: string[] = [];
  const log = (_fields: LogFields, message: string) => void lines.push(message);
  const logger = { debug: log, info: log, warn: log, error: log };
  const client = Client.create({ transport: fakeServer({}), logger });
  await expect(client.tasks.get("a")).rejects.toMatchObject({ code: "unimplemented" });
  expect(lines).toEqual([]);
});
