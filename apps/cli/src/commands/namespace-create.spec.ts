import { Code, ConnectError } from "@connectrpc/connect";
import type { CreateNamespaceRequest } from "@tq/proto";
import { expect, test } from "vitest";
import { parsed, tq, type World } from "../../test/tq.ts";

test("parses a name and what it is for", async () => {
  const argv = ["namespace", "create", "shop", "--description", "the shop", "--reason", "new", "--actor", "bot"];
  expect((await parsed(argv)).options).toEqual({ name: "shop", description: "the shop", reason: "new", actor: "bot" });
  expect((await tq(["namespace", "create"])).code).toBe(2);
});

test("creates it, and says who asked", async () => {
  const asked: CreateNamespaceRequest[] = [];
  const operator: World["operator"] = {
    createNamespace: (request) => (asked.push(request), { namespace: { name: request.name } }),
  };
  expect(await tq(["namespace", "create", "shop"], { operator })).toEqual({ code: 0, stdout: "shop\n", stderr: "" });
  expect(asked).toMatchObject([{ name: "shop", action: { actor: "alice@laptop" } }]);
  const { stdout } = await tq(["namespace", "create", "shop", "-o", "json"], { operator });
  expect(JSON.parse(stdout)).toEqual({ namespace: { name: "shop", description: "" } });
});

test("exits 1 if there is one", async () => {
  const createNamespace = () => {
    throw new ConnectError("namespace shop exists", Code.AlreadyExists);
  };
  expect(await tq(["namespace", "create", "shop"], { operator: { createNamespace } })).toEqual({
    code: 1,
    stdout: "",
    stderr: "tq: namespace shop exists\n",
  });
});
