import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@tq/proto/google/rpc";
import { StoreError } from "@tq/storage";
import { describe, expect, it } from "vitest";
import { ShuttingDown } from "../matching/matching.ts";
import { normalizeError, type Incident } from "./boundary.ts";
import { CallRefused } from "./call-refused.ts";

function normalize(reason: unknown): { error: ConnectError; incidents: Incident[] } {
  const incidents: Incident[] = [];
  return { error: normalizeError(reason, "tq.v1.X/Y", (incident) => incidents.push(incident)), incidents };
}

describe("normalizeError", () => {
  it("lets a ConnectError pass", () => {
    const reason = new ConnectError("x", Code.Canceled);
    expect(normalize(reason)).toEqual({ error: reason, incidents: [] });
  });

  it("turns a refusal into its code, with google.rpc details", () => {
    const field = { reason: "INVALID_NAME", field: "tasks[3].type", description: "must not be empty" } as const;
    const { error, incidents } = normalize(
      new CallRefused("INVALID_NAME", { fields: [field], metadata: { a: "b" }, retryAfterMs: 1_500 }),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe("the request has an invalid name: tasks[3].type must not be empty");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "INVALID_NAME", domain: "tq", metadata: { a: "b" } },
    ]);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([field]);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(incidents).toEqual([]);
  });

  it("names three fields in the text, and counts the others", () => {
    const fields = ["a", "b", "c", "d", "e"].map((name) => ({
      reason: "INVALID_FIELD" as const,
      field: name,
      description: "is wrong",
    }));
    const { error } = normalize(new CallRefused("INVALID_FIELD", { fields }));
    expect(error.rawMessage).toBe("the request is invalid: a is wrong; b is wrong; c is wrong; and 2 more");
  });

  it("cuts a quoted subject that is longer than any name", () => {
    const { error } = normalize(new CallRefused("NAMESPACE_NOT_FOUND", { subject: "x".repeat(1_000_000) }));
    expect(error.rawMessage.length).toBeLessThan(600);
  });

  it("says of a server that shuts down when to try again", () => {
    const { error } = normalize(new ShuttingDown());
    expect(error.code).toBe(Code.Unavailable);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("SHUTTING_DOWN");
    expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
  });

  it.each([
    ["unavailable", "STORE_UNAVAILABLE"],
    ["unusable", "STORE_UNAVAILABLE"],
    ["locked", "STORE_UNAVAILABLE"],
    ["shard-lost", "SHARD_LOST"],
  ] as const)("turns the store's %s into %s, with its text in the log alone", (code, reason) => {
    const cause = new StoreError(code, "disk full at /secret");
    const { error, incidents } = normalize(cause);
    expect(error.code).toBe(Code.Unavailable);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe(reason);
    expect(error.rawMessage).not.toContain("secret");
    expect(incidents).toMatchObject([{ call: "tq.v1.X/Y", cause }]);
  });

  it.each([new TypeError("secret"), "secret", undefined, { secret: 1 }])(
    "hides what it does not know behind an incident id",
    (cause) => {
      const { error, incidents } = normalize(cause);
      expect(error.code).toBe(Code.Internal);
      const [info] = error.findDetails(ErrorInfoSchema);
      expect(info?.reason).toBe("INTERNAL");
      expect(info?.metadata["incident"]).toBe(incidents[0]?.id);
      expect(error.rawMessage).toContain(incidents[0]?.id);
      expect(error.rawMessage).not.toContain("secret");
      expect(incidents[0]?.cause).toBe(cause);
    },
  );

  it("takes a caller that went away for what it is", () => {
    const gone = Object.assign(new Error("Premature close"), { code: "ERR_STREAM_PREMATURE_CLOSE" });
    expect(normalize(gone)).toMatchObject({ error: { code: Code.Canceled }, incidents: [] });
    const aborted = AbortSignal.abort().reason as unknown;
    expect(normalize(aborted)).toMatchObject({ error: { code: Code.Canceled }, incidents: [] });
  });
});
