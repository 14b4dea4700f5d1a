import { create } from "@bufbuild/protobuf";
import { PayloadSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { decodePayload, encodeInput, encodePayload } from "./payload.ts";
import { defaultPayloadConverter } from "./payload-converter.ts";

test.each([[null], [0], [""], ["text"], [true], [[1, [2]]], [{ a: { b: null } }], [undefined]])(
  "%j comes back",
  (value) => {
    expect(decodePayload(encodePayload(value))).toEqual(value);
  },
);

test("JSON travels as text without a content type, undefined as an empty payload, bytes as bytes", () => {
  expect(encodePayload({ a: 1 })).toMatchObject({ contentType: "", body: { case: "text", value: '{"a":1}' } });
  expect(encodePayload(null).body).toEqual({ case: "text", value: "null" });
  expect(encodePayload(undefined).body.case).toBeUndefined();
  expect(encodePayload(new Uint8Array([1, 2])).body).toEqual({ case: "bytes", value: new Uint8Array([1, 2]) });
  expect(decodePayload(encodePayload(Buffer.from("hi")))).toEqual(Buffer.from("hi"));
  expect(decodePayload(undefined)).toBeUndefined();
});

test("content types of others are understood: JSON as such, other text as it is", () => {
  const text = (contentType: string, value: string) =>
    create(PayloadSchema, { contentType, body: { case: "text", value } });
  expect(decodePayload(text("application/json; charset=utf-8", "[1]"))).toEqual([1]);
  expect(decodePayload(text("application/problem+json", "[1]"))).toEqual([1]);
  expect(decodePayload(text("text/plain", "[1]"))).toBe("[1]");
  const bytes = create(PayloadSchema, {
    contentType: "application/json",
    body: { case: "bytes", value: Buffer.from("7") },
  });
  expect(decodePayload(bytes)).toBe(7);
});

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;
const hostile = { toJSON: () => Promise.reject.call(null) };

test.each([
  ["a function", () => 1],
  ["a symbol", Symbol("s")],
  ["a bigint", 1n],
  ["a cycle", cyclic],
  ["a toJSON that throws", hostile],
])("%s is refused by name instead of being cut", (_what, value) => {
  expect(() => encodeInput(["fine", value], defaultPayloadConverter)).toThrow(
    expect.objectContaining({
      code: "invalid_argument",
      fields: [{ field: "input[1]", description: expect.any(String) as unknown }],
    }),
  );
});

test("what says it is JSON and is not is refused", () => {
  const payload = create(PayloadSchema, { body: { case: "text", value: "{" } });
  expect(() => decodePayload(payload)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
});
