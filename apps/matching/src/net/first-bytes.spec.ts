import { describe, expect, it } from "vitest";
import { protocolOf } from "./first-bytes.ts";

describe("protocolOf", () => {
  it.each([
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r", undefined],
    ["P", undefined],
    ["", undefined],
    ["POST / HTTP/1.1", "http1"],
    ["PRI * HTTP/1.0", "http1"],
    ["TQ * FRAMES/1\r\n\r\n", "frames"],
    ["TQ * FRAMES/1\r\n\r\n\0", "frames"],
    ["TQ * FRAMES/1\r\n", undefined],
    ["T", undefined],
    ["TQ * FRAMES/2\r\n\r\n", "http1"],
    ["TRACE / HTTP/1.1", "http1"],
    ["G", "http1"],
    ["\u0016\u0003", "http1"],
  ])("tells %j", (bytes, expected) => {
    expect(protocolOf(Buffer.from(bytes))).toBe(expected);
  });
});
