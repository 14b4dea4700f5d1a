import { type } from "arktype";
import { decodePayload } from "@tq/client";
import * as v from "valibot";
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { settle } from "../test/manual-clock.ts";
import { rig } from "../test/rig.ts";
import { Context } from "./context.ts";
import { defineActivity } from "./define-activity.ts";

interface Order {
  readonly id: string;
  readonly lines: readonly { readonly price: number }[];
}

const total = ({ id, lines }: Order) => `${id}: ${lines.reduce((sum, { price }) => sum + price, 0)}`;

const libraries = {
  zod: defineActivity({ input: z.object({ id: z.string(), lines: z.array(z.object({ price: z.number() })) }) }, total),
  valibot: defineActivity(
    { input: v.object({ id: v.string(), lines: v.array(v.object({ price: v.number() })) }) },
    total,
  ),
  arktype: defineActivity({ input: type({ id: "string", lines: type({ price: "number" }).array() }) }, total),
};

test.each(Object.entries(libraries))(
  "input that a schema of %s refuses fails for good and names the path; what it takes goes through",
  async (_library, work) => {
    const { server } = await rig({ activities: { work } });
    server.add("good", "work", { args: [{ id: "o1", lines: [{ price: 1 }, { price: 2 }] }] });
    server.add("bad", "work", { args: [{ id: "o2", lines: [{ price: 1 }, { price: "two" }] }] });
    server.add("none", "work");
    await settle();
    const good = server.answers.get("good")?.answer;
    expect(good?.case === "completed" && decodePayload(good.value.result)).toBe("o1: 3");
    const bad = server.answers.get("bad")?.answer;
    if (bad?.case !== "failed") throw new Error(`bad is ${bad?.case}`);
    const { type: kind, nonRetryable, message, details } = bad.value.failure!;
    expect({ kind, nonRetryable }).toEqual({ kind: "InvalidInput", nonRetryable: true });
    expect(message).toMatch(/^input\.lines\[1\]\.price: ./);
    expect(decodePayload(details[0])).toMatchObject({ path: "lines[1].price" });
    expect(server.answers.get("none")?.answer).toMatchObject({
      case: "failed",
      value: { failure: { type: "InvalidInput", message: expect.stringMatching(/^input: ./) as unknown } },
    });
  },
);

test("the function gets what the schema makes of the input, and the types know both", async () => {
  const schema = z.object({ at: z.string().transform((text) => new Date(text)), unit: z.string().default("ms") });
  const seen: unknown[] = [];
  const work = defineActivity({ input: schema }, (input) => {
    expectTypeOf(input).toEqualTypeOf<{ at: Date; unit: string }>();
    seen.push(input);
    return 7;
  });
  expectTypeOf(work).parameter(0).toEqualTypeOf<{ at: string; unit?: string | undefined }>();
  expectTypeOf(work).returns.resolves.toEqualTypeOf<number>();
  expect(await work({ at: "2026-01-01T00:00:00Z" })).toBe(7);
  expect(seen).toEqual([{ at: new Date("2026-01-01T00:00:00Z"), unit: "ms" }]);
});

test("a schema that checks asynchronously is waited for, and one that throws is a failure like any other", async () => {
  const known = z.string().refine(async (id) => (await Promise.resolve(), id.startsWith("o")), "no such order");
  const work = defineActivity({ input: known }, (id) => id);
  await expect(work("x1")).rejects.toMatchObject({ type: "InvalidInput", message: "input: no such order" });
  await expect(work("o1")).resolves.toBe("o1");
  const broken = defineActivity(
    {
      input: z.string().refine(() => {
        throw new Error("the database is away");
      }),
    },
    (id) => id,
  );
  await expect(broken("x")).rejects.toThrow("the database is away");
});

test("a schema of another library that checks asynchronously is part of the attempt, and has its context", async () => {
  const attempts: number[] = [];
  const known = v.pipeAsync(
    v.string(),
    v.checkAsync(async (id) => {
      await Context.current().sleep(1_000);
      attempts.push(Context.current().info.attempt);
      return id.startsWith("o");
    }, "no such order"),
  );
  const { server, clock } = await rig({ activities: { work: defineActivity({ input: known }, (id) => `got ${id}`) } });
  server.add("good", "work", { args: ["o1"] });
  server.add("bad", "work", { args: ["x1"] });
  await settle();
  expect(server.answers.size).toBe(0);
  await clock.advance(1_000);
  const good = server.answers.get("good")?.answer;
  expect(good?.case === "completed" && decodePayload(good.value.result)).toBe("got o1");
  const bad = server.answers.get("bad")?.answer;
  expect(bad?.case === "failed" && bad.value.failure).toMatchObject({
    type: "InvalidInput",
    message: "input: no such order",
  });
  expect(attempts).toEqual([1, 1]);
});

test("a long list of issues is cut, and says how many there are", async () => {
  const work = defineActivity({ input: z.array(z.number()) }, (numbers) => numbers.length);
  const failure = await work(Array.from({ length: 100 }, () => "x") as never).catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ message: expect.stringMatching(/^input\[0\]: .*; and 80 more$/) as unknown });
});

test("its defaults can be read by who adds its tasks, and `this` is the object that it is registered on", async () => {
  const work = defineActivity(
    { input: z.string(), defaults: { startToCloseTimeout: "5s", retry: { maximumAttempts: 3 } } },
    function (this: { greeting: string }, name: string) {
      return `${this.greeting}, ${name}`;
    },
  );
  expect(work.defaults).toEqual({ startToCloseTimeout: "5s", retry: { maximumAttempts: 3 } });
  const { server } = await rig({ activities: { greeting: "Hello", work } });
  server.add("a", "work", { args: ["Ada"] });
  await settle();
  const answer = server.answers.get("a")?.answer;
  expect(answer?.case === "completed" && decodePayload(answer.value.result)).toBe("Hello, Ada");
});

test.each<[field: string, options: object, fn: unknown]>([
  ["input", { input: 3 }, () => 1],
  ["input", {}, () => 1],
  ["inputs", { inputs: z.string() }, () => 1],
  ["fn", { input: z.string() }, undefined],
])("a definition whose %s is wrong is refused as it is made, not when a task fails for it", (field, options, fn) => {
  expect(() => defineActivity(options as never, fn as never)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field })] }),
  );
});
