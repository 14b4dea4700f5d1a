import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

const operator: World["operator"] = {
  getServerInfo: () => ({
    version: "0.1.0",
    instanceId: "i1",
    startedAt: timestampFromMs(nowMs),
    now: timestampFromMs(nowMs + 60_000),
    storage: "sqlite /data/tq.db",
    epoch: 4n,
    limits: {
      maxReplyBytes: 3_670_016,
      maxRequestBytes: 33_554_432,
      maxPayloadBytes: 2_097_152,
      maxTasksPerAdd: 10_000,
    },
    services: [{ name: "group-commit", running: true, lastProgress: timestampFromMs(nowMs + 59_000) }],
    waitingPolls: 2,
    liveWorkers: 1,
  }),
};

test("takes nothing", async () => {
  expect((await parsed(["server", "info"])).options).toEqual({});
  expect((await tq(["server", "info", "x"])).code).toBe(2);
});

test("tells what the server is, and ages by the server's clock", async () => {
  const { code, stdout } = await tq(["server", "info"], { operator });
  expect(code).toBe(0);
  expect(stdout).toBe(`version        0.1.0
address        127.0.0.1:7333
started        2026-01-31T12:00:00.000Z (1m ago)
instance       i1
storage        sqlite /data/tq.db
epoch          4
live workers   1
waiting polls  2
limits         answers 3.5 MiB, requests 32 MiB, payloads 2 MiB, 10000 tasks an add
clock          1m ahead of this machine's: ages shown here are off by that

Services
  SERVICE       STATE    LAST PROGRESS  LAST ERROR
  group-commit  running  1s ago         -
`);
  const info = JSON.parse((await tq(["server", "info", "-o", "json"], { operator })).stdout) as unknown;
  expect(info).toMatchObject({ epoch: 4, startedAt: "2026-01-31T12:00:00Z", waitingPolls: 2 });
});
