import fc from "fast-check";
import { priorities } from "@tq/matching-core";
import { expect, it } from "vitest";
import { readBody, SingleTaskBodies, writeBody, type ChunkTask } from "./chunk-body.ts";

const head = { namespaceId: 1, queueId: 7, addedAt: 1_700_000_000_000 };

function task(seq: number, id: string, more: Partial<ChunkTask> = {}): ChunkTask {
  return {
    seq,
    id,
    run: 1,
    type: "t",
    priority: 3,
    key: "",
    weight: 1,
    pass: 0,
    startToCloseMs: null,
    input: Buffer.from("[]"),
    headers: null,
    options: null,
    closedTask: null,
    ...more,
  };
}

const second: Partial<ChunkTask> = {
  run: 2,
  key: "ü",
  weight: 2,
  pass: 5.5,
  startToCloseMs: 60_000,
  input: Buffer.from("[1]"),
  headers: '{"h":"1"}',
  options: Buffer.from("opt"),
  closedTask: Buffer.from("closed"),
};

/** As files have them since chunks were first written: a build that reads them in another way must say so in the schema. */
const written = {
  one: {
    tasks: [task(20, "d")],
    json: '{"namespaceId":1,"queueId":7,"addedAt":1700000000000,"count":1,"seqs":[20],"ids":["d"],"runs":[1],"types":["t"],"priorities":[3],"keys":[""],"weights":[1],"passes":[0],"startToCloseMs":[null],"lengths":[2],"extras":[]}',
    blobs: "[]",
  },
  three: {
    tasks: [task(10, "a"), task(11, "b", second), task(13, "c", { input: Buffer.alloc(0), options: Buffer.from("o") })],
    json: '{"namespaceId":1,"queueId":7,"addedAt":1700000000000,"count":3,"seqs":[10,11,13],"ids":["a","b","c"],"runs":[1,2,1],"types":["t"],"priorities":[3],"keys":["","ü",""],"weights":[1,2,1],"passes":[0,5.5,0],"startToCloseMs":[null,60000,null],"lengths":[2,3,0],"extras":[[1,"{\\"h\\":\\"1\\"}",3,6],[2,null,1,null]]}',
    blobs: "[][1]optclosedo",
  },
};

it.each(Object.entries(written))("the body of %s is what it always was", (_, { tasks, json, blobs }) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(json), 0);
  const bytes = Buffer.concat([length, Buffer.from(json + blobs)]);
  const body = writeBody(
    head,
    tasks.map(({ seq }) => seq),
    tasks,
  );
  expect(body.bytes.toString()).toBe(bytes.toString());
  const read = readBody(bytes);
  expect(read.head).toMatchObject(head);
  expect(read.columns).toMatchObject(JSON.parse(json) as object);
  // What was written is found as what is read.
  expect([body.inputsFrom, body.ends]).toEqual([read.inputsFrom, read.ends]);
  expect([...body.extras]).toEqual([...read.extras]);
  const inputs = read.ends.map((end, i) => bytes.toString("utf8", read.ends[i - 1] ?? read.inputsFrom, end));
  expect(inputs).toEqual(tasks.map(({ input }) => Buffer.from(input).toString()));
});

const blob = fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes));
const text = fc.string({ unit: "grapheme", maxLength: 300 });
const whole = fc.nat(Number.MAX_SAFE_INTEGER);
const anyTask: fc.Arbitrary<ChunkTask> = fc.record({
  seq: whole,
  id: text,
  run: whole,
  type: text,
  priority: fc.constantFrom(...priorities),
  key: text,
  weight: fc.double({ min: 0.001, max: 1_000, noNaN: true }),
  pass: fc.double({ min: 0, noDefaultInfinity: true, noNaN: true }),
  startToCloseMs: fc.option(whole),
  input: blob,
  headers: fc.option(text),
  options: fc.option(blob),
  closedTask: fc.option(blob),
});
const anyHead = fc.record({ namespaceId: whole, queueId: whole, addedAt: whole });

it("writes the body of a single task as that of many", () => {
  const singles = new SingleTaskBodies();
  fc.assert(
    fc.property(anyHead, anyTask, (of, one) => {
      const single = Buffer.from(singles.write(of, one));
      expect(single.equals(writeBody(of, [one.seq], [one]).bytes)).toBe(true);
    }),
  );
});
