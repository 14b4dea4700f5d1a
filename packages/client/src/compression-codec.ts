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
   * What to compress with; each is read whatever is set here. Default `zstd`: nearly as small as the others at a fraction
   * of their time. It needs Node 22.15 or newer at both ends; `gzip` is read by everybody.
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

type Run = (bytes: Uint8Array, options: { maxOutputLength?: number }) => Promise<Uint8Array>;

/** Older Nodes have no zstd, and neither has their module. */
const zstd: Pick<typeof zlib, "zstdCompress" | "zstdDecompress"> | undefined =
  "zstdCompress" in zlib ? zlib : undefined;

const compressors: Readonly<Record<CompressionAlgorithm, Run | undefined>> = {
  zstd: zstd && promisify<Uint8Array, object, Uint8Array>(zstd.zstdCompress),
  gzip: promisify<Uint8Array, object, Uint8Array>(zlib.gzip),
  brotli: (bytes) =>
    promisify<Uint8Array, object, Uint8Array>(zlib.brotliCompress)(bytes, {
      // Its default, 11, is made for files that are compressed once and read a million times.
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 },
    }),
};

const decompressors: Readonly<Record<CompressionAlgorithm, Run | undefined>> = {
  zstd: zstd && promisify<Uint8Array, object, Uint8Array>(zstd.zstdDecompress),
  gzip: promisify<Uint8Array, object, Uint8Array>(zlib.gunzip),
  brotli: promisify<Uint8Array, object, Uint8Array>(zlib.brotliDecompress),
};

/**
 * Compresses payloads where that makes them smaller. A compressed one has the content type `application/x-tq-compressed`,
 * the algorithm in the metadata `compression`, and as its body the compressed `tq.v1.Payload`. Put it before encryption:
 * what is encrypted cannot be compressed.
 */
export class CompressionCodec implements PayloadCodec {
  readonly #algorithm: CompressionAlgorithm;
  readonly #compress: Run;
  readonly #minBytes: number;
  readonly #maxDecodedBytes: number;

  /** @throws TqError `invalid_argument` naming an option that is wrong, such as an algorithm that this Node lacks. */
  constructor(options: CompressionCodecOptions = {}) {
    refuseUnknownOptions(options, knownOptions);
    const { algorithm = "zstd", minBytes = 1_024, maxDecodedBytes = 64 * 1024 * 1024 } = options;
    const compress = Object.hasOwn(compressors, algorithm) ? compressors[algorithm] : undefined;
    if (compress === undefined) {
      throw invalidField(
        "algorithm",
        `this Node cannot compress with ${algorithm}; take "gzip", or Node 22.15 or newer`,
      );
    }
    optionalNumber(minBytes, "minBytes");
    optionalNumber(maxDecodedBytes, "maxDecodedBytes");
    if (!(minBytes >= 0)) throw invalidField("minBytes", `${minBytes} is not 0 or more`);
    if (!(maxDecodedBytes >= 1)) throw invalidField("maxDecodedBytes", `${maxDecodedBytes} is not 1 or more`);
    this.#algorithm = algorithm;
    this.#compress = compress;
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
    const value = await this.#compress(plain, {});
    const metadata = { [algorithmKey]: this.#algorithm };
    const compressed = create(PayloadSchema, { contentType, metadata, body: { case: "bytes", value } });
    return toBinary(PayloadSchema, compressed).length < plain.length ? compressed : payload;
  }

  async #decode(payload: Payload): Promise<Payload> {
    if (payload.contentType !== contentType || payload.body.case !== "bytes") return payload;
    const algorithm = payload.metadata[algorithmKey] ?? "";
    const decompress = Object.hasOwn(decompressors, algorithm)
      ? decompressors[algorithm as CompressionAlgorithm]
      : undefined;
    if (decompress === undefined) {
      throw new TqError({
        code: "unimplemented",
        message: `it is compressed with ${JSON.stringify(algorithm)}, which this program cannot read`,
      });
    }
    try {
      const plain = await decompress(payload.body.value, { maxOutputLength: this.#maxDecodedBytes });
      return fromBinary(PayloadSchema, plain);
    } catch (cause) {
      const isTooLarge = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
      const message = isTooLarge
        ? `decompressed it is over ${this.#maxDecodedBytes} bytes: give the compression codec a larger maxDecodedBytes if that is right`
        : `it says that it is compressed with ${algorithm} and is not, or is damaged`;
      throw new TqError({ code: "data_loss", message, cause });
    }
  }
}
