import { expect, test } from "vitest";
import { encodeTaskFilter } from "./task-filter.ts";

test.each<[field: string, filter: object]>([
  ["stats", { taskQueue: "q", stats: ["READY"] }],
  ["states[1]", { states: ["READY", "RADY"] }],
])("a filter whose %s is misspelled is refused: it would match more than was meant", (field, filter) => {
  expect(() => encodeTaskFilter(filter)).toThrow(
    expect.objectContaining({ fields: [expect.objectContaining({ field })] }),
  );
});
