import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type PauseTaskQueueRequest, TaskQueueKind } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

function pausing(asked: PauseTaskQueueRequest[]): World {
  return {
    operator: {
      // Half a minute ahead of the clock here.
      getServerInfo: () => ({ now: timestampFromMs(nowMs + 30_000) }),
      pauseTaskQueue: (request) => {
        asked.push(request);
        const { actor, reason } = request.action!;
        return {
          pause: { actor, reason, since: timestampFromMs(nowMs), ...(request.until && { until: request.until }) },
        };
      },
    },
  };
}

test("parses the queue, until when, and why", async () => {
  expect((await parsed(["queue", "pause", "demo"])).options).toEqual({ queue: "demo" });
  const argv = ["demo", "--kind", "activity", "--for", "10m", "--reason", "deploy", "--actor", "bot"];
  expect((await parsed(["queue", "pause", ...argv])).options).toEqual({
    queue: "demo",
    kind: "activity",
    for: 600_000,
    reason: "deploy",
    actor: "bot",
  });
  expect((await parsed(["queue", "pause", "demo", "--until", "2026-02-01T00:00:00Z"])).options).toEqual({
    queue: "demo",
    until: new Date("2026-02-01T00:00:00Z"),
  });
});

test.each([
  [[], "missing required argument 'QUEUE'"],
  [["demo", "--for", "10"], "'--for <duration>' argument '10' is invalid."],
  [["demo", "--for", "0s"], "Give at least 1ms."],
  [["demo", "--until", "10m"], "'--until <time>' argument '10m' is invalid. Write it like 2026-01-31T12:00:00Z."],
  [["demo", "--until", "2026-01-31T11:59:59Z"], "It is over."],
  [["demo", "--until", "2026-02-01", "--for", "1h"], "cannot be used with option '--for <duration>'"],
  [["demo", "--kind", "both"], "Allowed choices are activity, workflow."],
])("refuses %j, and asks the server nothing", async (argv, message) => {
  const asked: PauseTaskQueueRequest[] = [];
  const { code, stderr } = await tq(["queue", "pause", ...argv], pausing(asked));
  expect(stderr).toContain(message);
  expect([code, asked]).toEqual([2, []]);
});

test("pauses both kinds until resumed, unless told otherwise", async () => {
  const asked: PauseTaskQueueRequest[] = [];
  expect(await tq(["queue", "pause", "demo", "--reason", "deploy"], pausing(asked))).toEqual({
    code: 0,
    stdout: "demo is paused since 2026-01-31T12:00:00.000Z (0ms ago) by alice@laptop: deploy\n",
    stderr: "",
  });
  await tq(["queue", "pause", "demo", "--kind", "workflow"], pausing(asked));
  expect(asked.map(({ taskQueue, until }) => [taskQueue!.kind, until])).toEqual([
    [TaskQueueKind.UNSPECIFIED, undefined],
    [TaskQueueKind.WORKFLOW, undefined],
  ]);
  expect(asked[0]!.action!.requestId).not.toBe("");
});

test("--for counts from the server's now", async () => {
  const asked: PauseTaskQueueRequest[] = [];
  const { stdout } = await tq(["queue", "pause", "demo", "--kind", "activity", "--for", "10m"], pausing(asked));
  expect(timestampDate(asked[0]!.until!)).toEqual(new Date(nowMs + 630_000));
  expect(stdout).toBe(
    "demo (activity) is paused since 2026-01-31T12:00:00.000Z (0ms ago) until 2026-01-31T12:10:30.000Z (in 10m 30s) by alice@laptop\n",
  );
});

test("--until is that moment", async () => {
  const asked: PauseTaskQueueRequest[] = [];
  const { stdout } = await tq(["queue", "pause", "demo", "--until", "2026-02-01", "-o", "json"], pausing(asked));
  expect(JSON.parse(stdout)).toEqual({
    pause: { actor: "alice@laptop", reason: "", since: "2026-01-31T12:00:00Z", until: "2026-02-01T00:00:00Z" },
  });
  expect(asked).toHaveLength(1);
});
