import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { onceAborted } from "./abort-callbacks.ts";

test("calls everybody back once who has not been forgotten", () => {
  const controller = new AbortController();
  const [first, forgotten, last] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  onceAborted(controller.signal, first);
  onceAborted(controller.signal, forgotten)();
  onceAborted(controller.signal, last);
  controller.abort();
  controller.abort();
  expect([first, forgotten, last].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 1]);
});

test("a signal has one listener, however many calls come and go", () => {
  const { signal } = new AbortController();
  let forget = onceAborted(signal, () => undefined);
  for (let n = 0; n < 100; n++) {
    const next = onceAborted(signal, () => undefined);
    forget();
    forget = next;
  }
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
});
