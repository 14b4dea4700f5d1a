import { AnswerResult } from "@tq/proto";
import { expect, test } from "vitest";
import { gate, rig } from "../test/rig.ts";
import { Context } from "./context.ts";

/** A handler that leaves a mark, and ends as the test says. */
function marking(end: () => unknown) {
  return async () => {
    Context.current().heartbeat("mark");
    return end();
  };
}

test("a shutdown waits also for the answer that is sent instead of one that was refused", async () => {
  const end = gate();
  const { clock, server, worker, run } = await rig({ activities: { work: marking(() => end.promise) } });
  server.decide = ({ answer }) =>
    answer.case === "completed" ? { result: AnswerResult.REFUSED, error: { message: "no" } } : undefined;
  server.add("a", "work");
  await clock.advance(0);
  worker.shutdown();
  await clock.advance(0);
  const letThrough = server.hold("HeartbeatTasks");
  end.resolve();
  await clock.advance(1_000);
  expect(server.heartbeats.length).toBe(1);
  letThrough();
  await run;
  expect(server.answered("failed")).toBe("a");
  expect(worker.getStatus().shutdown).toMatchObject({ finished: 1, answersLost: 0 });
});
