import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { invalidField, TqError } from "./errors.ts";
import { type KnownOptions, refuseUnknownOptions } from "./known-options.ts";
import { optionalNumber } from "./option-checks.ts";
import type { PayloadCodec } from "./payload-codec.ts";

/** How a {@link CompressionCodec} compresses. */
export type CompressionAlgorithm = "zstd" | "gzip" | "brotli";

/** Options of a {@link CompressionCodec}; all optional. */
export interface CompressionCodecOptions {
  /**
   * What to compress with; each is read whatever is set here. Default `zstd`: as small as the others, and from some 10 KiB on in less of
   * their time. It needs Node 22.15 or newer at both ends; `gzip` is read by everybody.
   */
  readonly algorithm?: CompressionAlgorithm;
  /** Payloads of fewer bytes stay as they are. Default 1,024: below it little is gained. */
  readonly minBytes?: number;
  /**
   * What a payload may grow to when it is read; more is refused, since a few bytes can be made to stand for gigabytes.
   * Default 64 MiB.
   */
  readonly maxDecodedBytes?: number;
}

const knownOptions: KnownOptions<CompressionCodecOptions> = { algorithm: true, minBytes: true, maxDecodedBytes: true };

const contentType = "application/x-tq-compressed";
/** Where the algorithm stands in a payload's metadata. */
const algorithmKey = "compression";

/** A compressed payload of up to so many bytes is read at once: to hand it to another thread and back takes longer. */
const atOnceBytes = 16 * 1024;
/** What they may grow to at once when they are read; the few that grow further are handed over. */
const atOnceDecodedBytes = 128 * 1024;

interface Algorithm {
  /** So many bytes are compressed at once, in under half a millisecond; to hand them to another thread and back takes several times as long. */
  readonly compressesAtOnce: number;
  readonly compress: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly compressAtOnce: (bytes: Uint8Array) => Uint8Array;
  readonly decompress: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;
  readonly decompressAtOnce: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
}

// Its default, 11, is made for files that are compressed once and read a million times.
const brotliOptions = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } };
// Unless it is told the size, it makes room for megabytes each time.
const zstdOptions = (bytes: Uint8Array) => ({ pledgedSrcSize: bytes.length });

const algorithms: Readonly<Record<CompressionAlgorithm, Algorithm | undefined>> = {
  // Older Nodes have no zstd, and neither has their module.
  zstd:
    "zstdCompress" in zlib
      ? {
          compressesAtOnce: 128 * 1024,
          compress: (bytes) => promisify<Uint8Array, object, Uint8Array>(zlib.zstdCompress)(bytes, zstdOptions(bytes)),
          compressAtOnce: (bytes) => zlib.zstdCompressSync(bytes, zstdOptions(bytes)),
          decompress: promisify<Uint8Array, object, Uint8Array>(zlib.zstdDecompress),
          decompressAtOnce: zlib.zstdDecompressSync,
        }
      : undefined,
  gzip: {
    compressesAtOnce: 16 * 1024,
    compress: promisify<Uint8Array, Uint8Array>(zlib.gzip),
    compressAtOnce: (bytes) => zlib.gzipSync(bytes),
    decompress: promisify<Uint8Array, object, Uint8Array>(zlib.gunzip),
    decompressAtOnce: zlib.gunzipSync,
  },
  brotli: {
    compressesAtOnce: 16 * 1024,
    compress: (bytes) => promisify<Uint8Array, object, Uint8Array>(zlib.brotliCompress)(bytes, brotliOptions),
    compressAtOnce: (bytes) => zlib.brotliCompressSync(bytes, brotliOptions),
    decompress: promisify<Uint8Array, object, Uint8Array>(zlib.brotliDecompress),
    decompressAtOnce: zlib.brotliDecompressSync,
  },
};

function algorithmOf(name: string): Algorithm | undefined {
  return Object.hasOwn(algorithms, name) ? algorithms[name as CompressionAlgorithm] : undefined;
}

async function compress(algorithm: Algorithm, bytes: Uint8Array): Promise<Uint8Array> {
  return bytes.length <= algorithm.compressesAtOnce ? algorithm.compressAtOnce(bytes) : algorithm.compress(bytes);
}

/** @throws as zlib does; with `ERR_BUFFER_TOO_LARGE` if it comes to more than `maxBytes` */
async function decompress(algorithm: Algorithm, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (bytes.length <= atOnceBytes) {
    try {
      return algorithm.decompressAtOnce(bytes, { maxOutputLength: Math.min(maxBytes, atOnceDecodedBytes) });
    } catch (error) {
      if (!isTooLarge(error) || maxBytes <= atOnceDecodedBytes) throw error;
    }
  }
  return algorithm.decompress(bytes, { maxOutputLength: maxBytes });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}

/**
 * Compresses payloads where that makes them smaller. A compressed one has the content type `application/x-tq-compressed`,
 * the algorithm in the metadata `compression`, and as its body the compressed `tq.v1.Payload`. Put it before encryption:
 * what is encrypted cannot be compressed.
 */
export class CompressionCodec implements PayloadCodec {
  readonly #name: CompressionAlgorithm;
  readonly #algorithm: Algorithm;
  readonly #minBytes: number;
  readonly #maxDecodedBytes: number;

  /** @throws TqError `invalid_argument` naming an option that is wrong, such as an algorithm that this Node lacks. */
  constructor(options: CompressionCodecOptions = {}) {
    refuseUnknownOptions(options, knownOptions);
    const { algorithm = "zstd", minBytes = 1_024, maxDecodedBytes = 64 * 1024 * 1024 } = options;
    const found = algorithmOf(algorithm);
    if (found === undefined) {
      throw invalidField(
        "algorithm",
        `this Node cannot compress with ${algorithm}; take "gzip", or Node 22.15 or newer`,
      );
    }
    optionalNumber(minBytes, "minBytes");
    optionalNumber(maxDecodedBytes, "maxDecodedBytes");
    if (!(minBytes >= 0)) throw invalidField("minBytes", `${minBytes} is not 0 or more`);
    if (!(maxDecodedBytes >= 1)) throw invalidField("maxDecodedBytes", `${maxDecodedBytes} is not 1 or more`);
    this.#name = algorithm;
    this.#algorithm = found;
    this.#minBytes = minBytes;
    this.#maxDecodedBytes = maxDecodedBytes;
  }

  encode(payloads: readonly Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#encode(payload)));
  }

  decode(payloads: readonly Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#decode(payload)));
  }

  async #encode(payload: Payload): Promise<Payload> {
    // Text has at least as many bytes as UTF-16 units.
    if ((payload.body.value?.length ?? 0) < this.#minBytes) return payload;
    const plain = toBinary(PayloadSchema, payload);
    const value = await compress(this.#algorithm, plain);
    const metadata = { [algorithmKey]: this.#name };
    const compressed = create(PayloadSchema, { contentType, metadata, body: { case: "bytes", value } });
    return toBinary(PayloadSchema, compressed).length < plain.length ? compressed : payload;
  }

  async #decode(payload: Payload): Promise<Payload> {
    if (payload.contentType !== contentType || payload.body.case !== "bytes") return payload;
    const name = payload.metadata[algorithmKey] ?? "";
    const algorithm = algorithmOf(name);
    if (algorithm === undefined) {
      throw new TqError({
        code: "unimplemented",
        message: `it is compressed with ${JSON.stringify(name)}, which this program cannot read`,
      });
    }
    try {
      return fromBinary(PayloadSchema, await decompress(algorithm, payload.body.value, this.#maxDecodedBytes));
    } catch (cause) {
      const message = isTooLarge(cause)
        ? `decompressed it is over ${this.#maxDecodedBytes} bytes: give the compression codec a larger maxDecodedBytes if that is right`
        : `it says that it is compressed with ${name} and is not, or is damaged`;
      throw new TqError({ code: "data_loss", message, cause });
    }
  }
}
