import type { PurgeTasksRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

function purging(asked: PurgeTasksRequest[]): World {
  return {
    operator: {
      async *purgeTasks(request) {
        asked.push(request);
        yield await Promise.resolve({ progress: { examined: 7n, changed: 2n, done: true } });
      },
    },
  };
}

test("parses what goes, and whether it is told", async () => {
  expect((await parsed(["task", "purge", "a", "--yes", "--silent"])).options).toMatchObject({
    filter: { ids: ["a"] },
    silent: true,
  });
  expect((await parsed(["task", "purge", "--everything", "--dry-run"])).options).toMatchObject({
    filter: { everything: true },
    dryRun: true,
    silent: false,
  });
});

test.each([
  [["a"], "this destroys tasks: give --yes if that is meant, or --dry-run to see how many"],
  [["--everything"], "give --yes"],
  [["--yes"], "which tasks?"],
  [["--queue", "", "--yes"], "It must not be empty."],
  [["--queue", "a", "--queue", "b", "--yes"], "Give it once."],
])("refuses %j, and asks the server nothing", async (argv, message) => {
  const asked: PurgeTasksRequest[] = [];
  const { code, stderr } = await tq(["task", "purge", ...argv], purging(asked));
  expect(stderr).toContain(message);
  expect([code, asked]).toEqual([2, []]);
});

test("purges with --yes, and counts without it in a dry run", async () => {
  const asked: PurgeTasksRequest[] = [];
  const world = purging(asked);
  expect(await tq(["task", "purge", "--queue", "demo", "--silent", "--yes"], world)).toEqual({
    code: 0,
    stdout: "purged     2\nlooked at  7\n",
    stderr: "",
  });
  expect((await tq(["task", "purge", "--queue", "demo", "--dry-run"], world)).stdout).toMatch(
    /^would be purged {2}2\n/,
  );
  expect(asked).toMatchObject([
    { silent: true, bulk: { dryRun: false }, action: { actor: "alice@laptop" } },
    { silent: false, bulk: { dryRun: true } },
  ]);
});
