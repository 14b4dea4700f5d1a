import { expect, expectTypeOf, test } from "vitest";
import { type Duration, durationToMs, parseDuration } from "./duration.ts";

test("a duration is a number of milliseconds or text with a unit", () => {
  expect(durationToMs(1500, "x")).toBe(1500);
  expect(durationToMs("30s", "x")).toBe(30_000);
  expect(durationToMs("5 minutes", "x")).toBe(300_000);
  expect(durationToMs("1.5h", "x")).toBe(5_400_000);
  expect(durationToMs("0s", "x")).toBe(0);
  expect(parseDuration(" 250ms ", "x")).toBe(250);
});

test.each(["", "30", "soon", "-5s", "5 parsecs", "s"])("%j is refused, naming the field", (text) => {
  expect(() => parseDuration(text, "retry.initialInterval")).toThrow(
    expect.objectContaining({
      code: "invalid_argument",
      message: expect.stringContaining("retry.initialInterval: ") as unknown,
      fields: [{ field: "retry.initialInterval", description: expect.any(String) as unknown }],
    }),
  );
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("%d ms is refused", (duration) => {
  expect(() => durationToMs(duration, "lease")).toThrow("lease: ");
});

test("text that cannot be a duration does not compile", () => {
  expectTypeOf<"30s">().toExtend<Duration>();
  expectTypeOf<"5 minutes">().toExtend<Duration>();
  expectTypeOf<"soon">().not.toExtend<Duration>();
  expectTypeOf<"30">().not.toExtend<Duration>();
});
