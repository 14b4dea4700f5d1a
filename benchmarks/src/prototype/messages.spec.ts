import { expect, test } from "vitest";
import {
  idsMessage,
  idsOf,
  inStream,
  payloadsMessage,
  payloadsOf,
  streamReader,
  tasksMessage,
  tasksOf,
} from "./messages.ts";

test("what is written is read", () => {
  const payloads = ["one", "", "zwölf"];
  expect(payloadsOf(payloadsMessage(payloads)).map(String)).toEqual(payloads);
  const tasks = payloads.map((payload, i) => ({ id: 7 * i, payload: Buffer.from(payload) }));
  expect(tasksOf(tasksMessage(tasks))).toEqual(tasks);
  expect(idsOf(idsMessage([3, 4_000_000_000]))).toEqual([3, 4_000_000_000]);
});

test("messages of a stream are found however its bytes come", () => {
  const bytes = Buffer.concat(["first", "", "third"].map((text) => inStream(Buffer.from(text))));
  for (const size of [1, 3, 7, bytes.length]) {
    const messages: string[] = [];
    const read = streamReader((message) => messages.push(message.toString()));
    for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
    expect(messages).toEqual(["first", "", "third"]);
  }
});
