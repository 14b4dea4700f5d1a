import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  AddTasksRequestSchema,
  AddTasksResponseSchema,
  PollTasksRequestSchema,
  PollTasksResponseSchema,
  RespondTasksRequestSchema,
  RespondTasksResponseSchema,
} from "@tq/proto";
import { arbitraryMessage } from "@tq/proto/arbitrary";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "./hot-messages.ts";
import { encodeTasksAhead, setTasksAhead } from "./tasks-ahead.ts";

const schemas: DescMessage[] = [
  AddTasksRequestSchema,
  AddTasksResponseSchema,
  PollTasksRequestSchema,
  PollTasksResponseSchema,
  RespondTasksRequestSchema,
  RespondTasksResponseSchema,
];

/** What reading these bytes comes to. */
function outcomeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? "no message" : error;
  }
}

describe.each(schemas.map((schema) => [schema.name, schema] as const))("%s", (_name, schema) => {
  test("is written as the library writes it", () => {
    fc.assert(
      fc.property(arbitraryMessage(schema), (message) => {
        const bytes = Uint8Array.from(encodeMessage(schema, message));
        expect(fromBinary(schema, bytes)).toEqual(fromBinary(schema, toBinary(schema, message)));
        // The answers of a poll come behind the rest.
        if (schema !== PollTasksRequestSchema)
          expect(Buffer.from(bytes)).toEqual(Buffer.from(toBinary(schema, message)));
      }),
      { numRuns: 150 },
    );
  });

  test("is read as the library reads it", () => {
    fc.assert(
      fc.property(arbitraryMessage(schema), (message) => {
        const bytes = toBinary(schema, message);
        expect(decodeMessage(schema, bytes)).toEqual(fromBinary(schema, bytes));
      }),
      { numRuns: 150 },
    );
  });

  test("is read as the library reads it, though a byte is another one or the end is missing", () => {
    fc.assert(
      fc.property(arbitraryMessage(schema), fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (message, at, byte, cut) => {
        const whole = toBinary(schema, message);
        const bytes = cut ? whole.subarray(0, at % (whole.length + 1)) : Uint8Array.from(whole);
        if (!cut && bytes.length > 0) bytes[at % bytes.length] = byte;
        expect(outcomeOf(() => decodeMessage(schema, bytes))).toEqual(outcomeOf(() => fromBinary(schema, bytes)));
      }),
      { numRuns: 300 },
    );
  });
});

test("tasks of one answer that are alike do not take each other's values", () => {
  const queue = (name: string) => ({ name, kind: 1 });
  const task = (id: string, name: string, seconds: bigint) => ({
    token: Uint8Array.from(Buffer.from(id)),
    id,
    taskQueue: queue(name),
    type: name,
    addedAt: { seconds, nanos: 0 },
    lease: { seconds: 30n, nanos: 0 },
    input: [{ body: { case: "text" as const, value: id } }],
  });
  const message: MessageShape<typeof PollTasksResponseSchema> = create(PollTasksResponseSchema, {
    tasks: [task("a", "p", 1n), task("b", "q", 2n), task("c", "q", 2n), task("d", "p", 1n)],
  });
  const bytes = toBinary(PollTasksResponseSchema, message);
  expect(decodeMessage(PollTasksResponseSchema, bytes)).toEqual(message);
});

describe("tasks that were encoded before their call", () => {
  const library = (message: MessageShape<typeof AddTasksRequestSchema>) =>
    Buffer.from(toBinary(AddTasksRequestSchema, message));
  const ours = (message: MessageShape<typeof AddTasksRequestSchema>) =>
    Buffer.from(encodeMessage(AddTasksRequestSchema, message));

  test("are in it as the library writes them, in however many pieces", () => {
    fc.assert(
      fc.property(arbitraryMessage(AddTasksRequestSchema), fc.integer({ min: 1, max: 4 }), (message, most) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < message.tasks.length; at += most) {
          const piece = encodeTasksAhead(message.tasks.slice(at, at + most));
          if (piece === undefined) throw new Error("not encoded");
          pieces.push(piece);
        }
        setTasksAhead(message, pieces);
        expect(ours(message)).toEqual(library(message));
      }),
      { numRuns: 150 },
    );
  });

  test("are what goes out", () => {
    const message = create(AddTasksRequestSchema, { namespace: "n", tasks: [{ type: "a" }] });
    const others = create(AddTasksRequestSchema, { namespace: "n", tasks: [{ type: "b" }, { type: "c" }] });
    setTasksAhead(
      message,
      others.tasks.map((task) => encodeTasksAhead([task]) ?? new Uint8Array()),
    );
    expect(ours(message)).toEqual(library(others));
  });

  test("are left to the call where the library writes them, or says why it cannot", () => {
    const halfAPair = create(AddTasksRequestSchema, { tasks: [{ type: "\ud800" }] });
    expect(encodeTasksAhead(halfAPair.tasks)).toBeUndefined();
    expect(ours(halfAPair)).toEqual(library(halfAPair));
    const notWhole = create(AddTasksRequestSchema, { tasks: [{ priority: 1.5 }] });
    expect(encodeTasksAhead(notWhole.tasks)).toBeUndefined();
    expect(() => ours(notWhole)).toThrow("priority");
  });
});
