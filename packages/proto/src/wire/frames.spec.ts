import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FrameHeader, frameHeaderBytes, FrameReader, FrameWriter, writeFrameHeader } from "./index.ts";

const uint32 = fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat());
const frame = fc.record({ kind: uint32, call: uint32, timeoutMs: uint32, bytes: fc.uint8Array({ maxLength: 3_000 }) });
type Frame = Omit<FrameHeader, "length"> & { readonly bytes: Uint8Array };

/** Keeps what was written, and which of it went out together. */
class Sink {
  readonly packets: Buffer[] = [];
  #corked: Uint8Array[] | undefined;

  cork(): void {
    this.#corked ??= [];
  }

  uncork(): void {
    this.packets.push(Buffer.concat(this.#corked ?? []));
    this.#corked = undefined;
  }

  write(bytes: Uint8Array): void {
    if (this.#corked === undefined) this.packets.push(Buffer.from(bytes));
    else this.#corked.push(bytes);
  }
}

function write(writer: FrameWriter, { kind, call, timeoutMs, bytes }: Frame): void {
  writer.write(kind, call, timeoutMs, bytes);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("FrameReader and FrameWriter", () => {
  test("what is written is read, however the bytes are cut", async () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 8 }), pieces, async (frames, lengths) => {
        const sink = new Sink();
        const writer = new FrameWriter(sink);
        for (const each of frames) write(writer, each);
        await turn();
        const all = Buffer.concat(sink.packets);
        const read: Frame[] = [];
        const reader = new FrameReader(3_000, ({ length, kind, call, timeoutMs }, bytes) => {
          expect(bytes).toHaveLength(length);
          read.push({ kind, call, timeoutMs, bytes: Uint8Array.from(bytes) });
        });
        for (let at = 0, i = 0; at < all.length; i++) {
          const length = lengths[i % lengths.length]!;
          expect(reader.read(all.subarray(at, at + length))).toBe(true);
          at += length;
        }
        expect(read).toEqual(frames);
      }),
    );
  });

  test("a frame that is too long is refused as soon as its length is there, those before it are read", () => {
    const kinds: number[] = [];
    const reader = new FrameReader(10, ({ kind }) => void kinds.push(kind));
    const long = writeFrameHeader({ length: 11, kind: 2, call: 0, timeoutMs: 0 });
    const short = writeFrameHeader({ length: 0, kind: 1, call: 0, timeoutMs: 0 });
    expect(reader.read(Buffer.concat([short, long.subarray(0, frameHeaderBytes - 1)]))).toBe(true);
    expect(reader.read(long.subarray(frameHeaderBytes - 1))).toBe(false);
    expect(kinds).toEqual([1]);
  });

  test("a frame behind one that came in pieces does not hold on to that", () => {
    const held: number[] = [];
    const reader = new FrameReader(100_000, ({ kind }, bytes) => void (held[kind] = bytes.buffer.byteLength));
    const [large, small] = [100_000, 5_000].map((length, kind) =>
      Buffer.concat([writeFrameHeader({ length, kind, call: 0, timeoutMs: 0 }), new Uint8Array(length)]),
    ) as [Buffer, Buffer];
    reader.read(large.subarray(0, 90_000));
    const last = Buffer.alloc(large.length - 90_000 + small.length);
    last.set(large.subarray(90_000));
    last.set(small, large.length - 90_000);
    reader.read(last);
    expect(held).toEqual([large.length, last.length]);
  });

  test("timeouts are rounded up to what fits", () => {
    const timeouts: number[] = [];
    const reader = new FrameReader(0, ({ timeoutMs }) => void timeouts.push(timeoutMs));
    for (const timeoutMs of [0, 0.2, 1.5, 2 ** 40])
      reader.read(writeFrameHeader({ length: 0, kind: 0, call: 0, timeoutMs }));
    expect(timeouts).toEqual([0, 1, 2, 0xffff_ffff]);
  });

  test("small frames of one turn go out together, after what waits for a promise; a large one goes at once, with those before it", async () => {
    const sink = new Sink();
    const writer = new FrameWriter(sink);
    const small = { kind: 0, call: 0, timeoutMs: 0, bytes: new Uint8Array(10) };
    const large = { ...small, bytes: new Uint8Array(5_000) };
    const [ofSmall, ofLarge] = [small, large].map(({ bytes }) => bytes.length + frameHeaderBytes) as [number, number];
    write(writer, small);
    void Promise.resolve().then(() => Promise.resolve().then(() => write(writer, small)));
    expect(sink.packets).toEqual([]);
    await turn();
    expect(sink.packets.map(({ length }) => length)).toEqual([2 * ofSmall]);
    write(writer, small);
    write(writer, large);
    expect(sink.packets.map(({ length }) => length)).toEqual([2 * ofSmall, ofSmall + ofLarge]);
    write(writer, small);
    await turn();
    expect(sink.packets.map(({ length }) => length)).toEqual([2 * ofSmall, ofSmall + ofLarge, ofSmall]);
  });
});
