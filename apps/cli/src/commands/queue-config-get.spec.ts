import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

const described: World = {
  operator: {
    describeTaskQueue: ({ taskQueue }) => ({
      taskQueues: [
        {
          taskQueue: { name: taskQueue!.name, kind: TaskQueueKind.ACTIVITY },
          config: {
            revision: 7n,
            ratePerSecond: 2.5,
            burst: 5,
            maxStarted: 0,
            maxBacklog: 1_000n,
            fairnessKeys: {
              "b\n": { ratePerSecond: 1, burst: 2, weight: 0.5, maxStarted: 3 },
              a: {},
              "": { weight: 2 },
            },
            defaultFairnessKey: { maxStarted: 1 },
            completedRetention: durationFromMs(0),
            deadRetention: durationFromMs(86_400_000),
            defaultRetryPolicy: {
              maximumAttempts: 3,
              initialInterval: durationFromMs(0),
              backoffCoefficient: 1.5,
              maximumInterval: durationFromMs(60_000),
              jitter: 0,
              nonRetryableFailureTypes: ["TypeError", "Gone"],
            },
            defaultStartToCloseTimeout: durationFromMs(0),
            defaultScheduleToStartTimeout: durationFromMs(60_000),
            defaultScheduleToCloseTimeout: durationFromMs(3_600_000),
          },
        },
        { taskQueue: { name: taskQueue!.name, kind: TaskQueueKind.WORKFLOW } },
      ],
    }),
  },
};

test("parses the queue and a kind, and wants the queue", async () => {
  expect((await parsed(["queue", "config", "get", "demo"])).options).toEqual({ queue: "demo" });
  const { options } = await parsed(["queue", "config", "get", "demo", "--kind", "workflow"]);
  expect(options).toEqual({ queue: "demo", kind: "workflow" });
  expect(await tq(["queue", "config", "get"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing required argument 'QUEUE'") as string,
  });
});

test("tells all that is set, of both kinds", async () => {
  expect(await tq(["queue", "config", "get", "demo"], described)).toEqual({
    code: 0,
    stderr: "",
    stdout: `demo (activity)
rate               2.5/s
burst              5
max started        0
max backlog        1000
fairness keys      (tasks without a key): weight 2
                   a: no limits
                   b\\n: 1/s, burst 2, weight 0.5, at most 3 started
other keys         at most 1 started
completed kept     not at all
dead kept          1d
retries            3 attempts, first after 0ms, then ×1.5, up to 1m, jitter 0, never after TypeError, Gone
start to close     without limit
schedule to start  1m
schedule to close  1h
revision           7

demo (workflow): nothing was ever set
`,
  });
});

test("a configuration that was set back to nothing has a revision", async () => {
  const operator: World["operator"] = {
    describeTaskQueue: ({ taskQueue }) => ({ taskQueues: [{ taskQueue: taskQueue!, config: { revision: 2n } }] }),
  };
  const { stdout } = await tq(["queue", "config", "get", "demo", "--kind", "activity"], { operator });
  expect(stdout).toBe("demo (activity)\nset       nothing\nrevision  2\n");
});

test("prints JSON, in which what is not set is not there", async () => {
  const { stdout } = await tq(["queue", "config", "get", "demo", "-o", "json"], described);
  const { taskQueues } = JSON.parse(stdout) as { taskQueues: { config: object }[] };
  expect(taskQueues).toMatchObject([
    {
      taskQueue: { name: "demo", kind: "ACTIVITY" },
      config: { revision: 7, maxBacklog: 1000, deadRetention: "86400s" },
    },
    { taskQueue: { name: "demo", kind: "WORKFLOW" } },
  ]);
  expect(taskQueues[1]!.config).toEqual({ revision: 0, fairnessKeys: {} });
});
