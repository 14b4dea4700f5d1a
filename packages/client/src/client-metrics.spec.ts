import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { Code, fakeServer, refusal, silent } from "../test/fake-server.ts";
import { ManualClock, settle } from "../test/manual-clock.ts";
import { Client } from "./client.ts";

test("adds, failures, retries, waiting adds and the duration of calls are counted", async () => {
  const clock = new ManualClock();
  const held: (() => void)[] = [];
  let losses = 1;
  const transport = fakeServer({
    async addTasks({ tasks }) {
      if (losses-- > 0) throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
      await new Promise<void>((resolve) => held.push(resolve));
      if (tasks.some(({ type }) => type === "bad")) throw refusal(Code.FailedPrecondition, "TASK_QUEUE_DRAINING", "no");
      return { tasks: tasks.map(({ id }) => ({ id, run: 1, existed: id === "known" })) };
    },
  });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const client = Client.create({ transport, clock, meter, logger: silent, random: () => 1 });
  const points = async () => {
    exporter.reset();
    await reader.forceFlush();
    const all = exporter.getMetrics()[0]!.scopeMetrics[0]!.metrics;
    return Object.fromEntries(
      all.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes, value }) => {
          const { "tq.namespace": namespace, ...rest } = attributes;
          return [namespace, rest, typeof value === "object" ? (value as { count: number }).count : value];
        }),
      ]),
    );
  };
  const adds = [
    client.tasks.addMany([
      { taskQueue: "q", type: "t", id: "known" },
      { taskQueue: "q", type: "t" },
    ]),
  ];
  await clock.advance(100);
  expect((await points())["tq.client.adds.waiting"]).toEqual([["default", {}, 2]]);
  held.shift()!();
  await Promise.all(adds);
  const bad = client.tasks.add({ taskQueue: "q", type: "bad" });
  bad.catch(() => {});
  await settle();
  held.shift()!();
  await expect(bad).rejects.toThrow("no");
  expect(await points()).toEqual({
    "tq.client.tasks.added": [
      ["default", { "tq.existed": false }, 1],
      ["default", { "tq.existed": true }, 1],
    ],
    "tq.client.tasks.add_failures": [["default", { "error.type": "failed_precondition" }, 1]],
    "tq.client.adds.waiting": [["default", {}, 0]],
    "tq.client.call.retries": [["default", { "error.type": "unavailable" }, 1]],
    "tq.client.call.duration": [
      ["default", { "rpc.method": "AddTasks", "error.type": "unavailable" }, 1],
      ["default", { "rpc.method": "AddTasks" }, 1],
      ["default", { "rpc.method": "AddTasks", "error.type": "failed_precondition" }, 1],
    ],
  });
  await client.close();
  await reader.shutdown();
});
