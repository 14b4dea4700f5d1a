import { create, equals, toBinary } from "@bufbuild/protobuf";
import { PayloadSchema, type Payload } from "@tq/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePayload, decodePayloads, encodePayload, encodePayloads, payloadBytes } from "./payload-codec.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const payload: fc.Arbitrary<Payload> = fc
  .record({
    contentType: fc.oneof(fc.constant(""), text),
    body: fc.oneof(
      fc.constant({ case: undefined }),
      text.map((value) => ({ case: "text" as const, value })),
      fc.uint8Array({ maxLength: 20_000 }).map((value) => ({ case: "bytes" as const, value })),
    ),
    metadata: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
  })
  .map((init) => create(PayloadSchema, init));

const same = (a: Payload | undefined, b: Payload): boolean => a !== undefined && equals(PayloadSchema, a, b);

describe("the payload codec", () => {
  it("writes what the protobuf library writes", () => {
    fc.assert(
      fc.property(payload, (message) => {
        expect(Buffer.compare(encodePayload(message), toBinary(PayloadSchema, message))).toBe(0);
        expect(same(decodePayload(encodePayload(message)), message)).toBe(true);
      }),
    );
  });

  it("writes the bytes that stores hold", () => {
    const hex = (encoded: Uint8Array) => Buffer.from(encoded).toString("hex");
    const small = create(PayloadSchema, {
      contentType: "a/b",
      body: { case: "text", value: "é" },
      metadata: { k: "vv", "": "" },
    });
    const empty = create(PayloadSchema, { body: { case: "bytes", value: new Uint8Array() } });
    const large = create(PayloadSchema, { body: { case: "bytes", value: new Uint8Array(300) } });
    const smallBytes = "0a03612f62" + "1202c3a9" + "22070a016b12027676" + "22040a001200";
    const largeBytes = "1aac02" + "00".repeat(300);
    expect(hex(encodePayload(small))).toBe(smallBytes);
    expect(hex(encodePayload(empty))).toBe("1a00");
    expect(hex(encodePayload(create(PayloadSchema)))).toBe("");
    expect(hex(encodePayloads([]))).toBe("");
    expect(hex(encodePayloads([create(PayloadSchema)]))).toBe("00");
    expect(hex(encodePayloads([large]))).toBe("af02" + largeBytes);
    expect(hex(encodePayloads([small, large, empty]))).toBe("18" + smallBytes + "af02" + largeBytes + "021a00");
  });

  it("reads lists back as they were", () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 5 }), (messages) => {
        const decoded = decodePayloads(encodePayloads(messages));
        expect(decoded).toHaveLength(messages.length);
        expect(messages.every((message, i) => same(decoded[i], message))).toBe(true);
      }),
    );
  });

  it("keeps fields that a newer client sent", () => {
    const message = create(PayloadSchema, { body: { case: "text", value: "x" } });
    message.$unknown = [{ no: 99, wireType: 0, data: new Uint8Array([7]) }];
    expect(decodePayload(encodePayload(message)).$unknown).toMatchObject([{ no: 99 }]);
    expect(decodePayloads(encodePayloads([message]))[0]?.$unknown).toMatchObject([{ no: 99 }]);
  });

  it("counts body, content type and metadata, and no framing", () => {
    const init = { contentType: "a/b", body: { case: "text", value: "é" }, metadata: { k: "vv" } } as const;
    expect(payloadBytes(create(PayloadSchema, init))).toBe(3 + 2 + 3);
  });
});
