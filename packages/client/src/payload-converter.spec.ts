import { create, createRegistry, toBinary, toJsonString } from "@bufbuild/protobuf";
import { AnySchema, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { arbitraryMessage } from "@tq/proto/arbitrary";
import fc from "fast-check";
import {
  NewTaskSchema,
  type Payload,
  PayloadSchema,
  TaskQueueKind,
  TaskQueueRefSchema,
  TaskSchema,
  TaskTimeoutsSchema,
} from "@tq/proto";
import { expect, test } from "vitest";
import {
  BinaryPayloadConverter,
  CompositePayloadConverter,
  defaultPayloadConverters,
  type PartialPayloadConverter,
} from "./payload-converter.ts";
import { ProtobufPayloadConverter } from "./protobuf-converter.ts";

/** Dates as they are, instead of as strings. */
const dates: PartialPayloadConverter = {
  toPayload: (value) =>
    value instanceof Date
      ? create(PayloadSchema, { contentType: "application/x-date", body: { case: "text", value: value.toISOString() } })
      : undefined,
  accepts: ({ contentType }) => contentType === "application/x-date",
  fromPayload: ({ body }) => new Date(body.value as string),
};

const protobuf = new ProtobufPayloadConverter(createRegistry(TaskQueueRefSchema));
const converter = new CompositePayloadConverter(dates, protobuf, ...defaultPayloadConverters);
const through = (value: unknown) => converter.fromPayload(converter.toPayload(value));

test("a converter of one's own goes before the others, and leaves them the rest", () => {
  const date = new Date(5);
  expect(through(date)).toEqual(date);
  expect([through({ date }), through(undefined), through(new Uint8Array([1]))]).toEqual([
    { date: date.toISOString() },
    undefined,
    new Uint8Array([1]),
  ]);
});

test("a protobuf message comes back as one, and says what it is", () => {
  const message = create(TaskQueueRefSchema, { name: "q", kind: TaskQueueKind.WORKFLOW });
  const payload = converter.toPayload(message);
  expect(payload).toMatchObject({
    contentType: "application/x-protobuf",
    metadata: { "message-type": "tq.v1.TaskQueueRef" },
    body: { case: "bytes" },
  });
  expect(converter.fromPayload(payload)).toEqual(message);
});

test("a protobuf message in its JSON form is read", () => {
  const message = create(TaskQueueRefSchema, { name: "q" });
  const payload = create(PayloadSchema, {
    contentType: "application/protobuf+json",
    metadata: { "message-type": "tq.v1.TaskQueueRef" },
    body: { case: "text", value: toJsonString(TaskQueueRefSchema, message) },
  });
  expect(converter.fromPayload(payload)).toEqual(message);
});

test("messages of a whole schema come back as they were, in both forms: nested, maps, oneofs, enums, durations, 64 bits", () => {
  const registry = createRegistry(NewTaskSchema.file, AnySchema);
  const whole = new CompositePayloadConverter(new ProtobufPayloadConverter(registry), ...defaultPayloadConverters);
  for (const schema of [NewTaskSchema, TaskSchema]) {
    const property = fc.property(arbitraryMessage(schema), (sent) => {
      const payload = whole.toPayload(sent);
      // Byte for byte: what is no number equals nothing, not even itself.
      expect(toBinary(schema, whole.fromPayload(payload) as typeof sent)).toEqual(toBinary(schema, sent));
    });
    fc.assert(property, { numRuns: 100 });
  }
  const sent = create(NewTaskSchema, {
    id: "a",
    headers: { tenant: "x" },
    input: [{ body: { case: "bytes", value: new Uint8Array([0, 255]) } }],
    retryPolicy: { initialInterval: { seconds: 1n, nanos: 5 }, nonRetryableFailureTypes: ["No"] },
  });
  const json = create(PayloadSchema, {
    contentType: "application/protobuf+json",
    metadata: { "message-type": "tq.v1.NewTask" },
    body: { case: "text", value: toJsonString(NewTaskSchema, sent) },
  });
  expect(whole.fromPayload(json)).toEqual(sent);
  // A message of any type within, of which the registry has the schema.
  const any = anyPack(NewTaskSchema, sent);
  const unpacked = anyUnpack(whole.fromPayload(whole.toPayload(any)) as typeof any, NewTaskSchema);
  expect(unpacked).toEqual(sent);
  const anyJson = {
    ...json,
    metadata: { "message-type": "google.protobuf.Any" },
    body: { case: "text" as const, value: toJsonString(AnySchema, any, { registry }) },
  };
  expect(anyUnpack(whole.fromPayload(anyJson) as typeof any, NewTaskSchema)).toEqual(sent);
});

const message = (metadata: Record<string, string>, bytes: number[]): Payload =>
  create(PayloadSchema, {
    contentType: "application/x-protobuf",
    metadata,
    body: { case: "bytes", value: new Uint8Array(bytes) },
  });

test.each<[string, () => unknown, string]>([
  ["a message that nobody could read", () => converter.toPayload(create(TaskTimeoutsSchema)), "tq.v1.TaskTimeouts"],
  ["an unknown type", () => converter.fromPayload(message({ "message-type": "x.Y" }, [])), "no message type x.Y"],
  ["a payload without a type", () => converter.fromPayload(message({}, [])), "no message-type in its metadata"],
  [
    "bytes that are no message",
    () => converter.fromPayload(message({ "message-type": "tq.v1.TaskQueueRef" }, [10, 9])),
    "is not",
  ],
  ["a value that nobody takes", () => new CompositePayloadConverter(dates).toPayload(7), "takes a number"],
  [
    "a payload that nobody reads",
    () => new CompositePayloadConverter(new BinaryPayloadConverter()).fromPayload(create(PayloadSchema)),
    "reads a payload",
  ],
])("%s is refused, saying why", (_what, convert, why) => {
  expect(convert).toThrow(
    expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining(why) as unknown }),
  );
});
