import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { payloadText, payloadValue } from "./payload-value.ts";

const text = (value: string, contentType = ""): Payload =>
  create(PayloadSchema, { contentType, body: { case: "text", value } });
const bytes = (value: string, contentType = ""): Payload =>
  create(PayloadSchema, { contentType, body: { case: "bytes", value: Buffer.from(value) } });

test.each([
  ["an empty payload", create(PayloadSchema), "null"],
  ["JSON null", text("null"), "null"],
  ["JSON", text('{"a":[1,"b"]}'), '{"a":[1,"b"]}'],
  ["a number beyond 2^53", text('{"n":[9007199254740993,1.10]}'), '{"n":[9007199254740993,1.10]}'],
  ["other text", text("plain", "text/plain"), '"plain"'],
  ["bytes", bytes("hi"), '{"contentType":"","bytes":"aGk="}'],
  ["bytes that are JSON", bytes("[1]", "application/cloudevents+json; charset=utf-8"), "[1]"],
  ["what says it is JSON and is not", text("{", "application/json"), '{"contentType":"application/json","text":"{"}'],
])("%s", (_name, payload, expected) => {
  expect(JSON.stringify(payloadValue(payload))).toBe(expected);
});

test("in one line, an empty payload is told from null", () => {
  expect(payloadText(create(PayloadSchema))).toBe("(empty)");
  expect(payloadText(text("null"))).toBe("null");
});
