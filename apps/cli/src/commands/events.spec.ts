import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ListEventsRequest, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

function threePages(asked: ListEventsRequest[] = []): World {
  return {
    operator: {
      listEvents: (request) => {
        asked.push(request);
        const at = timestampFromMs(nowMs - 60_000);
        switch (request.pageToken) {
          case "":
            return {
              events: [
                {
                  id: 3n,
                  at,
                  actor: "alice@laptop",
                  reason: "fixed",
                  call: "RedriveTasks",
                  taskQueue: { name: "demo", kind: TaskQueueKind.ACTIVITY },
                  requestJson: '{"bulk":{}}',
                  changed: 12n,
                },
              ],
              nextPageToken: "p2",
            };
          case "p2":
            return { events: [{ id: 2n, at, actor: "bot", call: "DrainWorker", workerId: "w1" }], nextPageToken: "p3" };
          default:
            return { events: [{ id: 1n, at, actor: "bot", call: "PauseTaskQueue", taskQueue: { name: "demo" } }] };
        }
      },
    },
  };
}

test("parses a queue and how many", async () => {
  expect((await parsed(["events"])).options).toEqual({ limit: 100 });
  const { options } = await parsed(["events", "--queue", "demo", "--kind", "activity", "--limit", "0"]);
  expect(options).toEqual({ queue: "demo", kind: "activity", limit: Number.POSITIVE_INFINITY });
});

test.each([
  [["--kind", "activity"], "needs --queue"],
  [["--queue", ""], "'--queue <name>' argument '' is invalid."],
  [["--limit", "-1"], "'--limit <n>' argument '-1' is invalid. Give a whole number, 0 or more."],
  [["demo"], "too many arguments"],
])("refuses %j", async (argv, message) => {
  const { code, stderr } = await tq(["events", ...argv]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("lists the events of all pages", async () => {
  const { code, stdout, stderr } = await tq(["events"], threePages());
  expect(stdout.split("\n")).toEqual([
    "WHEN    WHO           WHAT            OF               TASKS  WHY",
    "1m ago  alice@laptop  RedriveTasks    demo (activity)     12  fixed",
    "1m ago  bot           DrainWorker     w1                   -  -",
    "1m ago  bot           PauseTaskQueue  demo                 -  -",
    "",
  ]);
  expect([code, stderr]).toEqual([0, ""]);
});

test("stops at the limit and says that there may be more", async () => {
  const asked: ListEventsRequest[] = [];
  const { stdout, stderr } = await tq(["events", "--queue", "demo", "--limit", "2", "-o", "json"], threePages(asked));
  expect(JSON.parse(stdout)).toMatchObject({
    events: [
      { id: 3, at: "2026-01-31T11:59:00Z", requestJson: '{"bulk":{}}', changed: 12 },
      { id: 2, workerId: "w1" },
    ],
    more: true,
  });
  expect(stderr).toBe("There may be more than these 2: raise --limit.\n");
  expect(asked.map(({ pageSize, taskQueue }) => [pageSize, taskQueue?.name, taskQueue?.kind])).toEqual([
    [2, "demo", TaskQueueKind.UNSPECIFIED],
    [1, "demo", TaskQueueKind.UNSPECIFIED],
  ]);
});

test("says when there are none", async () => {
  const operator: World["operator"] = { listEvents: () => ({}) };
  expect(await tq(["events"], { operator })).toEqual({
    code: 0,
    stdout: "",
    stderr: "No events: operators have changed nothing.\n",
  });
  expect(JSON.parse((await tq(["events", "-o", "json"], { operator })).stdout)).toEqual({ events: [], more: false });
});
