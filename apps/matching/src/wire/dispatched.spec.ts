import { create, toBinary } from "@bufbuild/protobuf";
import { PayloadSchema, PollTasksResponseSchema } from "@tq/proto";
import { pollTasksResponseTags, WireWriter } from "@tq/proto/wire";
import { defaultRetryPolicy } from "@tq/matching-core";
import type { DispatchedTask } from "@tq/storage";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toDispatchedMessage } from "../translation/dispatched-message.ts";
import { encodePayloads } from "../translation/payload-codec.ts";
import { writeDispatched } from "./dispatched.ts";

const some = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const time = some(0, 1, 1_700_000_000_000, 1_700_000_000_001, 2_500);

/** Of few values, so that one often has much in common with the one before, and differs in this or that. */
const task: fc.Arbitrary<DispatchedTask> = fc.record(
  {
    lease: fc.record({ seq: fc.nat(300), leaseNo: fc.integer({ min: 1, max: 2 ** 40 }) }),
    id: fc.string({ maxLength: 60 }),
    run: some(1, 2),
    queue: some(
      { namespace: "default", name: "q", kind: "activity" },
      { namespace: "default", name: "w", kind: "workflow" },
    ),
    type: some("t", "type".repeat(20)),
    input: fc
      .array(fc.uint8Array({ maxLength: 200 }), { maxLength: 2 })
      .map((data) =>
        encodePayloads(data.map((bytes) => create(PayloadSchema, { body: { case: "bytes", value: bytes } }))),
      ),
    attempt: some(1, 2),
    priority: some(3, 4),
    fairnessKey: some("", "key"),
    serialKey: some("", "serial"),
    headers: some({ a: "b" }),
    addedAt: time,
    startedAt: time,
    leaseMs: some(1_000, 30_000),
    timeouts: fc.record({ startToCloseMs: some(1, 60_000), heartbeatMs: some(500, 1_000) }, { requiredKeys: [] }),
    retryPolicy: some(1, 5).map((maximumAttempts) => ({ ...defaultRetryPolicy("activity"), maximumAttempts })),
    scheduleToCloseAt: time,
  },
  {
    requiredKeys: [
      "lease",
      "id",
      "run",
      "queue",
      "type",
      "input",
      "attempt",
      "priority",
      "fairnessKey",
      "addedAt",
      "startedAt",
      "leaseMs",
      "timeouts",
      "retryPolicy",
    ],
  },
);

/** One that differs from another in one thing, or in nothing but its delivery. */
const alike = fc
  .tuple(
    task,
    fc.array(
      fc.tuple(
        task,
        some<keyof DispatchedTask>(
          "lease",
          "addedAt",
          "leaseMs",
          "timeouts",
          "priority",
          "attempt",
          "fairnessKey",
          "startedAt",
          "retryPolicy",
          "input",
        ),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([first, others]) => [
    first,
    ...others.map(([other, key]) => ({ ...first, lease: other.lease, [key]: other[key] })),
  ]);

test("deliveries are written as their messages are, whatever they have in common", () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(task, { maxLength: 5 }), alike), (tasks) => {
      const writer = new WireWriter(0);
      writeDispatched(writer, pollTasksResponseTags.tasks, tasks);
      const expected = toBinary(PollTasksResponseSchema, {
        $typeName: "tq.v1.PollTasksResponse",
        tasks: tasks.map(toDispatchedMessage),
        answerStatuses: [],
        registrationsWanted: false,
        drainRequested: false,
      });
      expect(Buffer.from(writer.finish()).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
    }),
    { numRuns: 400 },
  );
});
