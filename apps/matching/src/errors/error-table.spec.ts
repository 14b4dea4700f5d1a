import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { ErrorReasonSchema } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { errorTable } from "./error-table.ts";

const proto = readFileSync(new URL("../../../../proto/tq/v1/error.proto", import.meta.url), "utf8");

/** The reasons of the proto, each with the code that begins its comment. */
const documented = [...proto.matchAll(/\/\/ ([a-z_]+): (?:.*\n\s*\/\/ )*.*\n\s*ERROR_REASON_([A-Z_]+) =/g)].map(
  ([, code, reason]) => ({ reason: reason!, code: code! }),
);

describe("the error table", () => {
  it("has every reason of the proto, and no other", () => {
    const named = ErrorReasonSchema.values.map((value) => value.localName).filter((name) => name !== "UNSPECIFIED");
    expect(Object.keys(errorTable).sort()).toEqual(named.sort());
    expect(documented).toHaveLength(named.length);
  });

  it.each(documented)("gives $reason the code that the proto's comment names: $code", ({ reason, code }) => {
    expect(codeToString(errorTable[reason as keyof typeof errorTable].code)).toBe(code);
  });

  it("says when to try again wherever the code is unavailable", () => {
    for (const entry of Object.values(errorTable)) {
      if (entry.code === Code.Unavailable) expect(entry.retryAfterMs).toBeGreaterThan(0);
    }
  });
});
