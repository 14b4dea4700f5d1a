import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { invalidField, TqError } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { optionalBoolean, requireName, requireRecord } from "./option-checks.ts";
import type { PayloadCodec } from "./payload-codec.ts";

/** A key of AES-256: 32 bytes. */
export type EncryptionKey = Uint8Array | KeyObject;

/** Options of an {@link EncryptionCodec}. */
export interface EncryptionCodecOptions {
  /**
   * Id of the key to encrypt with; it travels with each payload, readable. A function is asked each time, and may answer
   * later. To change keys, let every reader know the new one first, then name it here, and keep the old one as long as
   * tasks that were encrypted with it are kept. Draw a new key before 2^32 payloads.
   */
  readonly keyId: string | (() => string | Promise<string>);
  /**
   * All keys by their ids, or a function that finds one, now or later; `undefined` means that there is no such key (yet). A
   * key that was found is not asked for again.
   */
  readonly keys:
    | Readonly<Record<string, EncryptionKey>>
    | ((keyId: string) => EncryptionKey | undefined | Promise<EncryptionKey | undefined>);
  /** Refuses payloads that are not encrypted, such as those of a task that was added by hand. Default false. */
  readonly refusePlaintext?: boolean;
}

const knownOptions: KnownOptions<EncryptionCodecOptions> = { keyId: true, keys: true, refusePlaintext: true };

const contentType = "application/x-tq-encrypted";
/** Where the cipher and the id of the key stand in a payload's metadata. */
const cipherKey = "encryption";
const keyIdKey = "encryption-key-id";

const cipher = "aes-256-gcm";
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** The id travels in each payload's metadata, of which a server takes 4 KiB. */
const maxKeyIdBytes = 1_000;

/**
 * Encrypts payloads with AES-256-GCM, each with a nonce of its own. An encrypted one has the content type
 * `application/x-tq-encrypted`, the metadata `encryption: aes-256-gcm` and `encryption-key-id`, and as its body the nonce (12
 * bytes), the encrypted `tq.v1.Payload`, and the tag (16 bytes); the id of the key is authenticated with it.
 *
 * Errors: a key that is not known is `failed_precondition`, and may pass; a payload that was changed on its way, or was
 * encrypted with another key of the same id, is `data_loss`.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #options: EncryptionCodecOptions;
  readonly #known = new Map<string, KeyObject>();

  /** @throws TqError `invalid_argument` naming an option that is wrong. */
  constructor(options: EncryptionCodecOptions) {
    refuseUnknownOptions(options, knownOptions);
    const { keyId, keys } = options;
    optionalBoolean(options.refusePlaintext, "refusePlaintext");
    if (typeof keyId !== "function") requireName(keyId, "keyId", maxKeyIdBytes);
    this.#options = options;
    if (typeof keys === "function") return;
    requireRecord(keys, "keys");
    for (const [id, key] of Object.entries(keys)) {
      const known = keyObject(key);
      if (known === undefined) throw invalidField(`keys.${id}`, `a key of AES-256 has ${keyBytes} bytes`);
      this.#known.set(id, known);
    }
    if (typeof keyId === "string" && !this.#known.has(keyId)) {
      throw invalidField("keyId", `there is no key ${keyId} among \`keys\``);
    }
  }

  async encode(payloads: readonly Payload[]): Promise<Payload[]> {
    const { keyId } = this.#options;
    const id = typeof keyId === "string" ? keyId : await keyId();
    const key = await this.#keyOf(id);
    return payloads.map((payload) => encrypted(payload, id, key));
  }

  decode(payloads: readonly Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        if (payload.contentType !== contentType || payload.body.case !== "bytes") return this.#plain(payload);
        const id = payload.metadata[keyIdKey] ?? "";
        return decrypted(payload.body.value, id, payload.metadata[cipherKey] ?? "", await this.#keyOf(id));
      }),
    );
  }

  #plain(payload: Payload): Payload {
    if (this.#options.refusePlaintext !== true) return payload;
    throw new TqError({ code: "invalid_argument", message: "it is not encrypted, and `refusePlaintext` is set" });
  }

  async #keyOf(id: string): Promise<KeyObject> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const { keys } = this.#options;
    const found = typeof keys === "function" ? await keys(id) : undefined;
    const key = found && keyObject(found);
    if (key === undefined) {
      const what = found === undefined ? "is not known here" : `is no key of AES-256: it needs ${keyBytes} bytes`;
      throw new TqError({ code: "failed_precondition", message: `the encryption key ${id} ${what}` });
    }
    this.#known.set(id, key);
    return key;
  }
}

function keyObject(key: EncryptionKey): KeyObject | undefined {
  const secret = key instanceof Uint8Array ? createSecretKey(key) : key;
  return secret.type === "secret" && secret.symmetricKeySize === keyBytes ? secret : undefined;
}

/** What is authenticated beside the payload itself: nobody can pass it off as another key's. */
function associated(keyId: string): Buffer {
  return Buffer.from(`${cipher}:${keyId}`);
}

function encrypted(payload: Payload, keyId: string, key: KeyObject): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipherOf = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(associated(keyId));
  const parts = [nonce, cipherOf.update(toBinary(PayloadSchema, payload)), cipherOf.final(), cipherOf.getAuthTag()];
  return create(PayloadSchema, {
    contentType,
    metadata: { [cipherKey]: cipher, [keyIdKey]: keyId },
    body: { case: "bytes", value: Buffer.concat(parts) },
  });
}

function decrypted(bytes: Uint8Array, keyId: string, cipherName: string, key: KeyObject): Payload {
  if (cipherName !== cipher) {
    throw new TqError({
      code: "unimplemented",
      message: `it is encrypted with ${JSON.stringify(cipherName)}, which this program cannot read`,
    });
  }
  try {
    const tagAt = bytes.length - tagBytes;
    const decipher = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
      .setAAD(associated(keyId))
      .setAuthTag(bytes.subarray(tagAt));
    const plain = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, tagAt)), decipher.final()]);
    return fromBinary(PayloadSchema, plain);
  } catch (cause) {
    const message = `it was changed on its way, or encrypted with another key than the one known as ${keyId}`;
    throw new TqError({ code: "data_loss", message, cause });
  }
}
