import type { BackupServerRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { nowMs, parsed, tq, type World } from "../../test/tq.ts";

function backingUp(asked: BackupServerRequest[] = []): World {
  return {
    operator: {
      async *backupServer(request) {
        asked.push(request);
        for (const left of [300n, 200n, 100n]) yield await Promise.resolve({ pagesTotal: 400n, pagesRemaining: left });
        yield { pagesTotal: 400n, done: true, bytes: 1_638_400n };
      },
    },
  };
}

test("parses a path", async () => {
  expect((await parsed(["server", "backup", "/backups/tq.db", "--reason", "nightly"])).options).toEqual({
    path: "/backups/tq.db",
    reason: "nightly",
  });
  expect((await parsed(["server", "backup", "C:\\backups\\tq.db"])).options).toEqual({ path: "C:\\backups\\tq.db" });
});

test.each([
  [[], "missing required argument 'PATH'"],
  [["tq.db"], "argument 'PATH' must be absolute: it is a file on the server's machine"],
  [["./tq.db"], "argument 'PATH' must be absolute"],
  [[""], "argument 'PATH' must be absolute"],
])("refuses %j, and asks the server nothing", async (argv, message) => {
  const asked: BackupServerRequest[] = [];
  const { code, stderr } = await tq(["server", "backup", ...argv], backingUp(asked));
  expect(stderr).toContain(message);
  expect([code, asked]).toEqual([2, []]);
});

test("tells how far it is, and what it wrote", async () => {
  const asked: BackupServerRequest[] = [];
  let clockMs = nowMs;
  const world = { ...backingUp(asked), now: () => (clockMs += 400) };
  expect(await tq(["server", "backup", "/backups/tq.db"], world)).toEqual({
    code: 0,
    stdout: "/backups/tq.db: 1.6 MiB, on the server's machine\n",
    stderr: "300 of 400 pages so far.\n",
  });
  expect(asked).toMatchObject([{ path: "/backups/tq.db", action: { actor: "alice@laptop" } }]);
  const { stdout } = await tq(["server", "backup", "/backups/tq.db", "-o", "json"], backingUp());
  expect(JSON.parse(stdout)).toEqual({ path: "/backups/tq.db", bytes: 1_638_400 });
});

test("a backup that ends before it is done is no success", async () => {
  const operator: World["operator"] = {
    async *backupServer() {
      yield await Promise.resolve({ pagesTotal: 400n, pagesRemaining: 300n });
    },
  };
  expect(await tq(["server", "backup", "/backups/tq.db"], { operator })).toEqual({
    code: 1,
    stdout: "",
    stderr: "tq: the server ended the backup before it was done\n",
  });
});
