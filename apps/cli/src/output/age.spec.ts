import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ago, ahead, humanDuration, momentAndAge } from "./age.ts";

test.each([
  [-5, "0ms"],
  [0, "0ms"],
  [999.4, "999ms"],
  [999.6, "1s"],
  [4_250, "4.2s"],
  [9_999, "9.9s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [252_000, "4m 12s"],
  [3_600_000, "1h"],
  [3_725_000, "1h 2m"],
  [90_000_000, "1d 1h"],
  [100 * 86_400_000, "100d"],
])("%d ms is %s", (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test("moments are told from now, backwards and forwards", () => {
  expect(ago(timestampFromMs(1_000), 61_000)).toBe("1m ago");
  expect(ahead(timestampFromMs(61_000), 1_000)).toBe("in 1m");
  expect(ahead(timestampFromMs(500), 1_000)).toBe("now");
  expect(momentAndAge(timestampFromMs(61_000), 1_000)).toBe("1970-01-01T00:01:01.000Z (in 1m)");
  expect([ago(undefined, 0), ahead(undefined, 0), momentAndAge(undefined, 0)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
