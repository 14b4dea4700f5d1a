import { expect, test } from "vitest";
import { blockBytes, Blocks, blocksOfMemory, nextBlock } from "./blocks.ts";

test("a place is the next block's beginning, or before it", () => {
  expect([0, 1, 4_095, 4_096, 4_097, 2 ** 40 + 1].map((place) => nextBlock(place))).toEqual([
    0,
    4_096,
    4_096,
    4_096,
    8_192,
    2 ** 40 + 4_096,
  ]);
  expect([0, 1, 17].map((place) => nextBlock(place, 1))).toEqual([0, 1, 17]);
});

test("memory is of whole blocks, and nothing is in it", () => {
  expect([1, 4_096, 4_097].map((bytes) => blocksOfMemory(bytes).length)).toEqual([4_096, 4_096, 8_192]);
  expect(blocksOfMemory(10_000).every((byte) => byte === 0)).toBe(true);
});

test("what was there before is not written with what is shorter", () => {
  const blocks = new Blocks();
  blocks.layOut([new Uint8Array(10_000).fill(1)]);
  const second = blocks.layOut([new Uint8Array(5_000).fill(2), new Uint8Array(1).fill(3)]);
  expect(second.length).toBe(3 * blockBytes);
  expect([second.indexOf(0), second.indexOf(1), second.indexOf(3), second.lastIndexOf(3)]).toEqual([
    5_000, -1, 8_192, 8_192,
  ]);
});

test("its memory is the same until more is to be written, and the most of it is let go of", () => {
  const blocks = new Blocks();
  const memoryOf = (bytes: number): ArrayBufferLike => blocks.layOut([new Uint8Array(bytes)]).buffer;
  const first = memoryOf(1);
  expect(memoryOf(64 * 1_024)).toBe(first);
  const larger = memoryOf(64 * 1_024 + 1);
  expect(larger.byteLength).toBe(128 * 1_024);
  expect(memoryOf(1)).toBe(larger);
  expect(memoryOf(9 * 1_024 * 1_024)).not.toBe(larger);
  expect(memoryOf(1)).toBe(larger);
});
