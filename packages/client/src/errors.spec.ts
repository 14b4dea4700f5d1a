import { createServer } from "node:net";
import { type AddressInfo } from "node:net";
import { ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { Code, fakeServer, refusal } from "../test/fake-server.ts";
import { Client } from "./client.ts";
import { TqError, toTqError } from "./errors.ts";

test("a refusal keeps its code, reason, fields and wait", async () => {
  const fields = [{ field: "tasks[0].type", description: "is empty" }];
  const transport = fakeServer({
    addTasks: () => {
      throw refusal(Code.ResourceExhausted, "MAX_BACKLOG", "tasks[0].type: is empty", { fields, retryAfterMs: 1500 });
    },
  });
  const error: unknown = await Client.create({ transport })
    .services.tasks.addTasks({})
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TqError);
  expect(error).toMatchObject({
    code: "resource_exhausted",
    reason: "MAX_BACKLOG",
    fields,
    retryAfterMs: 1500,
    message: "tasks[0].type: is empty",
  });
});

test("fields that the text does not mention are added to it", () => {
  const fields = [{ field: "tasks[2].type", description: "is empty" }];
  const error = toTqError(refusal(Code.InvalidArgument, "INVALID_FIELD", "invalid request", { fields }));
  expect(error.message).toBe("invalid request: tasks[2].type: is empty");
});

test("anything at all becomes a TqError", () => {
  const cyclic = new Error("round");
  cyclic.cause = cyclic;
  for (const thrown of ["text", undefined, null, 7, cyclic, new ConnectError("no", Code.Aborted)]) {
    expect(toTqError(thrown)).toBeInstanceOf(TqError);
  }
  expect(toTqError(new ConnectError("no", Code.Aborted)).code).toBe("aborted");
  const own = new TqError({ code: "internal", message: "x" });
  expect(toTqError(own)).toBe(own);
});

test("a server that cannot be reached is named, with what to do", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  for (const httpVersion of ["1.1", "2"] as const) {
    const error: unknown = await Client.connect({ address: `127.0.0.1:${port}`, httpVersion }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: "unavailable",
      message: `Cannot reach a tq server at http://127.0.0.1:${port} (ECONNREFUSED). Start one with \`tq server start\`, or give another address.`,
    });
  }
});

test("a connection that breaks is unavailable, and the text says that the call may have taken effect", async () => {
  const server = createServer((socket) => socket.on("data", () => socket.destroy())).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const client = Client.create({ address: `127.0.0.1:${port}` });
  const error: unknown = await client.services.tasks.addTasks({}).catch((e: unknown) => e);
  expect(error).toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("broke during AddTasks") as unknown,
  });
  await client.close();
  await new Promise((resolve) => server.close(resolve));
});

test("errors of streams are TqErrors too", async () => {
  const transport = fakeServer(
    {},
    {
      async *purgeTasks() {
        yield { progress: { examined: 1n } };
        throw refusal(Code.Unavailable, "SHUTTING_DOWN", "going");
      },
    },
  );
  const seen: bigint[] = [];
  const read = async () => {
    for await (const { progress } of Client.create({ transport }).services.operator.purgeTasks({})) {
      seen.push(progress!.examined);
    }
  };
  await expect(read()).rejects.toMatchObject({ name: "TqError", code: "unavailable", reason: "SHUTTING_DOWN" });
  expect(seen).toEqual([1n]);
});
