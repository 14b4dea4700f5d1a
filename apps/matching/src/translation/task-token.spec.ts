import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeTaskToken, encodeTaskToken } from "./task-token.ts";

const safe = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe("task tokens", () => {
  it("come back as they were, in at most 24 bytes", () => {
    fc.assert(
      fc.property(safe, safe, fc.nat({ max: 0xffff_ffff }), (seq, leaseNo, shard) => {
        const token = encodeTaskToken({ seq, leaseNo }, shard);
        expect(token.length).toBeLessThanOrEqual(24);
        expect(decodeTaskToken(token, shard)).toEqual({ seq, leaseNo });
        expect(decodeTaskToken(token, shard + 1)).toBeUndefined();
      }),
    );
  });

  it("are small for small numbers", () => {
    expect(encodeTaskToken({ seq: 100, leaseNo: 1 })).toHaveLength(6);
  });

  it("are told from garbage, from each other's pieces, and from those that were cut or extended", () => {
    const token = encodeTaskToken({ seq: 123_456_789, leaseNo: 42 });
    expect(decodeTaskToken(new Uint8Array(0))).toBeUndefined();
    expect(decodeTaskToken(Buffer.from("garbage!"))).toBeUndefined();
    expect(decodeTaskToken(new Uint8Array(64))).toBeUndefined();
    expect(decodeTaskToken(token.subarray(0, -1))).toBeUndefined();
    expect(decodeTaskToken(Buffer.concat([token, Buffer.from([0])]))).toBeUndefined();
    for (let i = 0; i < token.length; i++) {
      const changed = Uint8Array.from(token);
      changed[i] = token[i]! ^ 1;
      expect(decodeTaskToken(changed)).toBeUndefined();
    }
  });

  it("nearly never take random bytes for one of theirs", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        if (decodeTaskToken(bytes) !== undefined) accepted += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeLessThanOrEqual(1);
  });
});
