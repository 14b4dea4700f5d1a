import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BlockingCode, nameRunningHandler, type RunningHandler } from "../src/blocking-code.ts";

const shared = new SharedArrayBuffer(8);
const flags = new Int32Array(shared);
let thread: Worker;

beforeAll(async () => {
  thread = new Worker(new URL("./looking-thread.ts", import.meta.url), { workerData: shared });
  await once(thread, "online");
});

afterAll(async () => thread.terminate());

/** Blocks this thread in some way, until the other one has looked; answers what it found. */
async function lookWhile(block: () => Promise<void> | void): Promise<BlockingCode | undefined> {
  flags.fill(0);
  const answer = once(thread, "message");
  thread.postMessage("look");
  await block();
  const [code] = (await answer) as [BlockingCode | undefined];
  return code;
}

function tellThatItBegins(): void {
  Atomics.store(flags, 0, 1);
  Atomics.notify(flags, 0);
}

function computeWithoutAPause(): void {
  tellThatItBegins();
  while (Atomics.load(flags, 1) === 0);
}

/** As if it were for the system: in no JavaScript. */
function waitWithoutAPause(): void {
  tellThatItBegins();
  Atomics.wait(flags, 1, 0);
}

const handler: RunningHandler = () => ({ type: "resize", taskId: "t1" });

test.each([computeWithoutAPause, waitWithoutAPause])(
  "what blocks the event loop is found with its handler, also after an await: %o",
  async (block) => {
    const unname = nameRunningHandler(handler);
    const found = await lookWhile(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      block();
    });
    unname();
    expect(found).toMatchObject({ type: "resize", taskId: "t1" });
    expect(found?.at).toMatch(new RegExp(`^${block.name} \\(file:.*/blocking-code\\.spec\\.ts:\\d+\\)$`));
  },
);

test("where no handler runs, it says so, and where", async () => {
  const unname = nameRunningHandler(() => undefined);
  const found = await lookWhile(computeWithoutAPause);
  unname();
  expect(found).toEqual({ at: expect.stringContaining("computeWithoutAPause (file:") as unknown });
  // Nobody is asked any more.
  expect(await lookWhile(computeWithoutAPause)).toEqual({ at: found?.at });
});
