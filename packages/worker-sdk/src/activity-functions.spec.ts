import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { rig } from "../test/rig.ts";
import {
  activityInfo,
  cancellationSignal,
  cancelled,
  Context,
  getClient,
  getMetricMeter,
  heartbeat,
  log,
  sleep,
} from "./index.ts";

test("a handler has its context as functions, by the names of Temporal's", async () => {
  const reasons: unknown[] = [];
  const { clock, server, lines } = await rig({
    activities: {
      async work() {
        const context = Context.current();
        expect(activityInfo()).toBe(context.info);
        expect(cancellationSignal()).toBe(context.cancellationSignal);
        expect(getClient()).toBe(context.client);
        expect(getMetricMeter()).toBe(context.metricMeter);
        log.info({ step: 1 }, "begun");
        heartbeat({ step: 1 });
        await sleep("10 seconds");
        await cancelled().catch((reason: unknown) => reasons.push(reason));
        return "done";
      },
    },
  });
  server.add("a", "work", { heartbeatTimeout: durationFromMs(60_000) });
  await clock.advance(10_000);
  expect(server.renews.flatMap(({ heartbeats }) => heartbeats).length).toBe(1);
  expect(lines).toContainEqual(expect.objectContaining({ message: "begun", taskId: "a", step: 1 }));
  server.cancel("a");
  await clock.advance(1_000);
  expect(reasons).toEqual([expect.objectContaining({ reason: "CANCEL_REQUESTED" })]);
  expect(server.answered("completed")).toBe("a");
});

test.each([activityInfo, cancellationSignal, cancelled, getClient, getMetricMeter, heartbeat, () => log.info({}, "")])(
  "outside of a handler they throw: %o",
  (call) => {
    expect(call).toThrow("outside of a handler");
  },
);
