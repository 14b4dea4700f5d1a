import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { expect, test } from "vitest";
import { EncryptionCodec } from "./encryption-codec.ts";
import { encodePayload } from "./payload.ts";

const key = (byte: number) => new Uint8Array(32).fill(byte);
const secret = encodePayload({ card: "4711" });

test("what is encrypted says by which key and nothing else, and comes back", async () => {
  const codec = new EncryptionCodec({ keyId: "k1", keys: { k1: key(1) } });
  const [first, second] = (await codec.encode([secret, secret])) as [Payload, Payload];
  expect(first).toMatchObject({
    contentType: "application/x-tq-encrypted",
    metadata: { encryption: "aes-256-gcm", "encryption-key-id": "k1" },
  });
  const bytes = Buffer.from(first.body.value as Uint8Array);
  expect(bytes.includes("4711")).toBe(false);
  expect(bytes.equals(second.body.value as Uint8Array)).toBe(false);
  expect(await codec.decode([first, second])).toEqual([secret, secret]);
});

test("keys rotate: the new one encrypts, the old one still reads", async () => {
  let current = "k1";
  const asked: string[] = [];
  const codec = new EncryptionCodec({
    keyId: async () => current,
    keys: async (id) => (asked.push(id), id === "k1" ? key(1) : key(2)),
  });
  const [old] = (await codec.encode([secret])) as [Payload];
  current = "k2";
  const [young] = (await codec.encode([secret])) as [Payload];
  expect([old, young].map(({ metadata }) => metadata["encryption-key-id"])).toEqual(["k1", "k2"]);
  const reader = new EncryptionCodec({ keyId: "k2", keys: { k1: key(1), k2: key(2) } });
  expect(await reader.decode([old, young])).toEqual([secret, secret]);
  expect(asked).toEqual(["k1", "k2"]);
});

test("a key that is not known yet is asked for again, one that is wrong is an error for good", async () => {
  const keys = new Map<string, Uint8Array>();
  const writer = new EncryptionCodec({ keyId: "k1", keys: { k1: key(1) } });
  const reader = new EncryptionCodec({ keyId: "k1", keys: (id) => keys.get(id) });
  const coded = await writer.encode([secret]);
  await expect(reader.decode(coded)).rejects.toMatchObject({
    code: "failed_precondition",
    message: expect.stringContaining("k1 is not known") as unknown,
  });
  keys.set("k1", key(1));
  expect(await reader.decode(coded)).toEqual([secret]);
  const wrong = new EncryptionCodec({ keyId: "k1", keys: { k1: key(9) } });
  await expect(wrong.decode(coded)).rejects.toMatchObject({ code: "data_loss" });
});

test("what was changed on its way is found out, its key id included", async () => {
  const codec = new EncryptionCodec({ keyId: "k1", keys: { k1: key(1), k2: key(1) } });
  const [coded] = (await codec.encode([secret])) as [Payload];
  const bytes = Uint8Array.from(coded.body.value as Uint8Array);
  bytes[20]! ^= 1;
  const cases = [
    create(PayloadSchema, { ...coded, body: { case: "bytes", value: bytes } }),
    create(PayloadSchema, { ...coded, body: { case: "bytes", value: new Uint8Array(3) } }),
    create(PayloadSchema, { ...coded, metadata: { ...coded.metadata, "encryption-key-id": "k2" } }),
  ];
  for (const each of cases) await expect(codec.decode([each])).rejects.toMatchObject({ code: "data_loss" });
});

test("what is not encrypted is handed on, unless it is to be refused", async () => {
  const options = { keyId: "k1", keys: { k1: key(1) } };
  expect(await new EncryptionCodec(options).decode([secret])).toEqual([secret]);
  const strict = new EncryptionCodec({ ...options, refusePlaintext: true });
  await expect(strict.decode([secret])).rejects.toMatchObject({ code: "invalid_argument" });
});

test.each([
  ["keyId", { keyId: "", keys: {} }],
  ["keyId", { keyId: "k2", keys: { k1: key(1) } }],
  ["keys.k1", { keyId: "k1", keys: { k1: new Uint8Array(16) } }],
])("%s that is wrong is refused at once", (field, options) => {
  expect(() => new EncryptionCodec(options)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field })] }),
  );
});
