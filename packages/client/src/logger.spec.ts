import { expect, test, vi } from "vitest";
import { stderrLogger, withFields } from "./logger.ts";

test("the default logger writes warnings and errors to stderr, one line each, whatever the fields", () => {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const logger = withFields(stderrLogger, { worker: "me@host" });
  logger.debug({}, "no");
  logger.info({}, "no");
  logger.warn(
    { n: 1, none: undefined, text: 'two\nlines "quoted"', error: new TypeError("bad"), cyclic },
    "Something is odd",
  );
  logger.error({ worker: "other" }, "Something is wrong");
  (logger.warn as unknown as (message: string) => void)("Only a message");
  const lines = write.mock.calls.map(([line]) => (line as string).replace(/^\S+Z /, ""));
  expect(lines).toEqual([
    'warn Something is odd worker=me@host n=1 text="two\\nlines \\"quoted\\"" error="TypeError: bad" cyclic=?\n',
    "error Something is wrong worker=other\n",
    "warn Only a message worker=me@host\n",
  ]);
});
