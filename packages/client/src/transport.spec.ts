import { expect, test } from "vitest";
import { baseUrlOf, openTransport } from "./transport.ts";

test.each([
  ["127.0.0.1:7333", "http://127.0.0.1:7333"],
  ["tq", "http://tq:7333"],
  ["tq:80", "http://tq"],
  ["[::1]:9000", "http://[::1]:9000"],
  ["http://tq", "http://tq"],
  ["https://tq.example.com/queue/", "https://tq.example.com/queue"],
])("%s is %s", (address, url) => {
  expect(baseUrlOf(address)).toBe(url);
});

test.each(["", "tq:99999", "tq/queue", "http://", "a b"])("%j is no address", (address) => {
  expect(() => baseUrlOf(address)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field: "address" })] }),
  );
});

test("calls that are written by hand take tasks that were encoded before, those that Connect writes do not", async () => {
  for (const [version, takes] of [
    ["1.1", true],
    ["2", false],
  ] as const) {
    const open = openTransport("http://127.0.0.1:1", version);
    expect(open.takesTasksAhead).toBe(takes);
    await open.close();
  }
});
