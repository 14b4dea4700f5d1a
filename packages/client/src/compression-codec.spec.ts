import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { CompressionCodec } from "./compression-codec.ts";
import { encodePayload, payloadBytes } from "./payload.ts";

const long = encodePayload({ text: "tasks and attempts, ".repeat(500) });

test.each(["zstd", "gzip", "brotli"] as const)(
  "%s makes a long payload smaller, and anybody reads it",
  async (algorithm) => {
    const [small] = (await new CompressionCodec({ algorithm }).encode([long])) as [Payload];
    expect(small.metadata).toEqual({ compression: algorithm });
    expect(payloadBytes(small)).toBeLessThan(payloadBytes(long) / 10);
    expect(await new CompressionCodec({ algorithm: "gzip" }).decode([small])).toEqual([long]);
  },
);

test.each(["zstd", "gzip", "brotli"] as const)(
  "%s does large ones as well: those that it hands over, and those that grow large only as they are read",
  async (algorithm) => {
    const mixed = encodePayload(Array.from({ length: 4_000 }, (_, n) => `task ${n * 7919}`));
    const even = encodePayload("a".repeat(1_000_000));
    const codec = new CompressionCodec({ algorithm });
    const coded = await codec.encode([mixed, even]);
    expect(payloadBytes(mixed)).toBeGreaterThan(16 * 1024);
    expect(payloadBytes(coded[1]!)).toBeLessThan(16 * 1024);
    expect(await codec.decode(coded)).toEqual([mixed, even]);
    const strict = new CompressionCodec({ algorithm, maxDecodedBytes: 200_000 });
    await expect(strict.decode([coded[1]!])).rejects.toMatchObject({ code: "data_loss" });
  },
);

test("what is short, or would grow, stays as it is", async () => {
  const short = encodePayload("short");
  const random = encodePayload(crypto.getRandomValues(new Uint8Array(4_000)));
  const none = encodePayload(undefined);
  const codec = new CompressionCodec();
  expect(await codec.encode([short, random, none])).toEqual([short, random, none]);
  expect(await codec.decode([short, random, none])).toEqual([short, random, none]);
  const [coded] = (await new CompressionCodec({ minBytes: 0 }).encode([encodePayload("a".repeat(200))])) as [Payload];
  expect(coded.metadata["compression"]).toBe("zstd");
});

test("bytes that are not what they say, and bytes that grow beyond the limit, are refused for good", async () => {
  const [small] = (await new CompressionCodec().encode([long])) as [Payload];
  const damaged = create(PayloadSchema, { ...small, body: { case: "bytes", value: new Uint8Array([1, 2, 3]) } });
  await expect(new CompressionCodec().decode([damaged])).rejects.toMatchObject({ code: "data_loss" });
  const strict = new CompressionCodec({ maxDecodedBytes: 5_000 });
  await expect(strict.decode([small])).rejects.toMatchObject({
    code: "data_loss",
    message: expect.stringContaining("maxDecodedBytes") as unknown,
  });
});

test("an algorithm that this program lacks may be another's to read, and is no option here", async () => {
  const other = create(PayloadSchema, {
    contentType: "application/x-tq-compressed",
    metadata: { compression: "toString" },
    body: { case: "bytes", value: new Uint8Array() },
  });
  await expect(new CompressionCodec().decode([other])).rejects.toMatchObject({ code: "unimplemented" });
  expect(() => new CompressionCodec({ algorithm: "lz4" as "gzip" })).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field: "algorithm" })] }),
  );
});
