import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { AddTasksRequestSchema, NewTaskSchema, PollTasksRequestSchema, TaskAnswerSchema } from "@tq/proto";
import { arbitraryMessage } from "@tq/proto/arbitrary";
import { unusual } from "@tq/proto/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAddRequest, readPlainAdd, readPlainPoll, readPollRequest } from "./requests.ts";

/** Without the character that stands for what is no UTF-8. */
const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((value) => !value.includes("\ufffd"));
const duration = fc
  .record({ seconds: fc.bigInt({ min: 0n, max: 86_400n }), nanos: fc.nat({ max: 999_999_999 }) })
  .map((init) => create(DurationSchema, init));
/** A poll with every field, as the SDK sends it. */
const plainPoll = fc
  .record({
    namespace: text,
    pollId: text,
    worker: fc.record({ workerId: text, identity: text, buildId: text, registrationsHash: text }),
    taskQueues: fc.array(fc.record({ name: text, kind: fc.nat({ max: 3 }) }), { maxLength: 4 }),
    maxTasks: fc.nat({ max: 0xffff_ffff }),
    lease: fc.option(duration, { nil: undefined }),
    confirmWithin: fc.option(duration, { nil: undefined }),
    wait: fc.option(duration, { nil: undefined }),
    receivedPollIds: fc.array(text, { maxLength: 3 }),
    answers: fc.array(
      fc.uint8Array({ maxLength: 20 }).map((token) => create(TaskAnswerSchema, { token })),
      {
        maxLength: 4,
      },
    ),
    requestId: text,
    taskQueueRatePerSecond: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
  })
  .map((init) => create(PollTasksRequestSchema, init));

function isUnusual(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (error !== unusual) throw error;
    return true;
  }
}

/** The pieces that a list of places names. */
function pieces(bytes: Uint8Array, items: readonly number[]): Uint8Array[] {
  return Array.from({ length: items.length / 2 }, (_, i) => bytes.slice(items[2 * i], items[2 * i + 1]));
}

describe("PollTasks", () => {
  test("is read without the library as it is usually sent, and says the same", () => {
    fc.assert(
      fc.property(plainPoll, (poll) => {
        const bytes = toBinary(PollTasksRequestSchema, poll);
        const { request, answers } = readPlainPoll(bytes);
        expect(request).toEqual({ ...fromBinary(PollTasksRequestSchema, bytes), answers: [] });
        expect(pieces(bytes, answers)).toEqual(poll.answers.map((answer) => toBinary(TaskAnswerSchema, answer)));
      }),
    );
  });

  test("says what the library says of any two messages, one after the other, which are merged", () => {
    let merged = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(plainPoll, arbitraryMessage(PollTasksRequestSchema)), { maxLength: 2 }),
        (polls) => {
          const bytes = Buffer.concat(polls.map((poll) => toBinary(PollTasksRequestSchema, poll)));
          const usual = fromBinary(PollTasksRequestSchema, bytes);
          const { request, answers } = readPollRequest(bytes);
          expect(request).toEqual({ ...usual, answers: [] });
          expect(answers.length / 2).toBe(usual.answers.length);
          if (polls.length === 2 && polls.every(({ worker }) => worker !== undefined)) {
            merged += 1;
            expect(isUnusual(() => readPlainPoll(bytes))).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(merged).toBeGreaterThan(10);
  });
});

describe("AddTasks", () => {
  const tasks = fc.array(arbitraryMessage(NewTaskSchema), { maxLength: 4 });

  test("is read without the library, and says the same", () => {
    fc.assert(
      fc.property(text, text, tasks, (namespace, requestId, newTasks) => {
        const message = create(AddTasksRequestSchema, { namespace, requestId, tasks: newTasks });
        const bytes = toBinary(AddTasksRequestSchema, message);
        const read = readPlainAdd(bytes);
        expect(read).toMatchObject({ namespace, requestId });
        expect(pieces(bytes, read.tasks)).toEqual(newTasks.map((task) => toBinary(NewTaskSchema, task)));
      }),
    );
  });

  test("with a field that is not known is read by the library", () => {
    const known = toBinary(
      AddTasksRequestSchema,
      create(AddTasksRequestSchema, { namespace: "n", tasks: [{ id: "a" }] }),
    );
    const bytes = Buffer.concat([known, Uint8Array.of(0x78, 1)]);
    expect(isUnusual(() => readPlainAdd(bytes))).toBe(true);
    expect(readAddRequest(bytes)).toMatchObject({ namespace: "n", requestId: "" });
    expect(readAddRequest(bytes).tasks).toHaveLength(2);
    expect(isUnusual(() => readAddRequest(Uint8Array.of(0x0a, 5, 1)))).toBe(true);
  });
});
