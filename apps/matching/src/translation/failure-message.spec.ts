import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FailureSchema, type Failure } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { fakeDispatched, fakeNow, fakeTask } from "../../test/fake-matching.ts";
import { toDispatchedMessage } from "./dispatched-message.ts";
import { toTaskMessage } from "./task-message.ts";

const limit = 64 * 1024;
const text = (bytes: number): string => "x".repeat(bytes);
const record = (init: MessageInitShape<typeof FailureSchema>) => {
  const failure = create(FailureSchema, { type: "Broken", message: "it broke", nonRetryable: true, ...init });
  const { type, message, nonRetryable } = failure;
  return { type, message, nonRetryable, encoded: toBinary(FailureSchema, failure) };
};
const details = [{ body: { case: "text", value: text(limit) } }] as const;
const gist = { type: "Broken", message: "it broke", nonRetryable: true, details: [] };
const bytes = (failure: Failure): number => toBinary(FailureSchema, failure).length;

describe("the failure of an attempt", () => {
  const said: [string, (failure: ReturnType<typeof record>) => Failure][] = [
    ["last_failure", (failure) => toDispatchedMessage(fakeDispatched("a", { lastFailure: failure })).lastFailure!],
    [
      "failed_attempts",
      (failure) => {
        const attempt = { run: 1, attempt: 1, workerId: "w", startedAt: fakeNow, failedAt: fakeNow, failure };
        const detail = { input: true, fallbackInput: true, payloads: true, handedOn: true };
        return toTaskMessage(fakeTask("a", { failedAttempts: [attempt] }), detail, []).failedAttempts[0]!.failure!;
      },
    ],
  ];

  describe.each(said)("in %s", (_field, say) => {
    it("is whole up to 64 KiB", () => {
      const failure = { stackTrace: "at x", details: [{ body: { case: "text", value: "d" } }], cause: { type: "C" } };
      const said = say(record(failure as MessageInitShape<typeof FailureSchema>));
      expect(said).toMatchObject({ ...gist, ...failure });
    });

    it("is without details and cause over it", () => {
      const said = say(record({ stackTrace: "at x", details: [...details], cause: { type: "C" } }));
      expect(said).toMatchObject({ ...gist, stackTrace: "at x" });
      expect(said.cause).toBeUndefined();
      expect(say(record({ stackTrace: "at x", cause: { message: text(limit) } })).cause).toBeUndefined();
    });

    it("is without its stack trace where that alone is over it", () => {
      expect(say(record({ stackTrace: text(limit) }))).toMatchObject({ ...gist, stackTrace: "" });
    });

    it("has its message cut where that alone is over it", () => {
      const said = say(record({ message: "€".repeat(limit) }));
      expect(said.message).toMatch(/^€{20000,}/);
      expect(bytes(said)).toBeLessThanOrEqual(limit);
      expect(bytes(said)).toBeGreaterThan(limit - 2_000);
    });
  });
});
