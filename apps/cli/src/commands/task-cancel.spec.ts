import { type CancelTasksRequest, CancelStatus } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

test("parses ids, --force and --reason", async () => {
  expect((await parsed(["task", "cancel", "a", "b"])).options).toEqual({ ids: ["a", "b"] });
  expect((await parsed(["task", "cancel", "a", "--force", "--reason", "why"])).options).toEqual({
    ids: ["a"],
    force: true,
    reason: "why",
  });
});

test("says what became of each", async () => {
  const asked: CancelTasksRequest[] = [];
  const statuses = [CancelStatus.CANCELED, CancelStatus.REQUESTED, CancelStatus.ALREADY_CLOSED];
  const tasks: World["tasks"] = { cancelTasks: (request) => (asked.push(request), { statuses }) };
  const { code, stdout } = await tq(["task", "cancel", "a", "b", "c", "--reason", "why"], { tasks });
  expect(stdout).toBe(`ID  STATUS
a   canceled
b   started: its worker is being told
c   had closed before
`);
  expect(code).toBe(0);
  expect(asked).toMatchObject([{ namespace: "default", ids: ["a", "b", "c"], force: false, reason: "why" }]);
  expect(asked[0]!.requestId).not.toBe("");
});

test("exits 1 if one is not known", async () => {
  const tasks: World["tasks"] = { cancelTasks: () => ({ statuses: [CancelStatus.CANCELED, CancelStatus.NOT_FOUND] }) };
  const { code, stdout } = await tq(["task", "cancel", "a", "b", "-o", "json"], { tasks });
  expect(JSON.parse(stdout)).toEqual({
    tasks: [
      { id: "a", status: "CANCELED" },
      { id: "b", status: "NOT_FOUND" },
    ],
  });
  expect(code).toBe(1);
});
