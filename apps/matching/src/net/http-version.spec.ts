import { describe, expect, it } from "vitest";
import { httpVersionOf } from "./http-version.ts";

describe("httpVersionOf", () => {
  it.each([
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r", undefined],
    ["P", undefined],
    ["", undefined],
    ["POST / HTTP/1.1", "http1"],
    ["PRI * HTTP/1.0", "http1"],
    ["G", "http1"],
    ["\u0016\u0003", "http1"],
  ])("tells %j", (bytes, expected) => {
    expect(httpVersionOf(Buffer.from(bytes))).toBe(expected);
  });
});
