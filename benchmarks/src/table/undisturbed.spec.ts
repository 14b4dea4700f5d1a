import { expect, test } from "vitest";
import { type Played, stolenLine, undisturbed } from "./undisturbed.ts";

const always = (): boolean => true;

/** Plays these, one after the other. */
function plays(...all: Played<string>[]): () => Promise<Played<string>> {
  const left = [...all];
  return async () => left.shift() ?? expect.fail("one play more than there should be");
}

test("a run that the host left alone is played once", async () => {
  expect(await undisturbed(plays({ result: "a", stolen: 0.05 }), always)).toEqual([{ result: "a", stolen: 0.05 }]);
});

test("one that it disturbed is played again, and the less disturbed counts", async () => {
  const [first, second] = [
    { result: "a", stolen: 0.2 },
    { result: "b", stolen: 0.06 },
  ];
  expect((await undisturbed(plays(first, second), always))[0]).toBe(second);
  expect((await undisturbed(plays(second, first), always))[0]).toBe(second);
});

test("a play that failed counts only if the other failed too", async () => {
  const [failed, good] = [{ stolen: 0.1 }, { result: "b", stolen: 0.9 }];
  expect((await undisturbed(plays(failed, good), always))[0]).toBe(good);
  expect((await undisturbed(plays(good, failed), always))[0]).toBe(good);
  expect((await undisturbed(plays({ stolen: 0.3 }, failed), always))[0]).toBe(failed);
});

test("where there is no time it is left as it is", async () => {
  expect(await undisturbed(plays({ result: "a", stolen: 1 }), () => false)).toEqual([{ result: "a", stolen: 1 }]);
});

test("what the host took is told", () => {
  expect(stolenLine({ stolen: { median: 0.012, min: 0, max: 0.311 }, again: 2 })).toBe(
    "The host took 1.2 % of a run's processor time (31.1 % at most) for others; runs that were played again, since it had taken more than 5.0 %: 2.",
  );
});
